/* The load generator: many WebSocket clients in one thread.
 *
 *     load MODE --port P [--tls] [--speech id|peerjs|topics] [--connections N] [--bytes B]
 *          [--in-flight K] [--seconds S] [--warm-up-s W] [--rate R] [--idle I] [--prefix TEXT]
 *
 * MODE  relay     clients in pairs, each with K messages of B bytes on their way to its partner
 *       burst     the same, but all send to the first one
 *       latency   clients in pairs, each sends R messages a second, whether the server is late or
 *                 not, with I idle connections beside; times count from when a message was due
 *       upgrades  N attempts under way: connect, upgrade, read the 101, reset
 *       idle      N connections that do nothing, until standard input ends
 *
 * Prints one JSON object. Everything is bounded: a run that stalls for STALL_S ends with status 1.
 * The text of a message carries its sender and the time at which it was sent (or due), so that
 * nothing has to be remembered here, and whatever the server makes of the rest does not matter.
 * Output that one read causes goes out with one write for each client, as the floor's does not:
 * the generator must be faster than what it measures.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifndef WITHOUT_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#else
typedef void SSL;
#endif

enum {
    READ_BYTES = 65536,
    EVENTS = 256,
    OPENING_AT_ONCE = 64,
    MAX_PAYLOAD_BYTES = 65535,
    STALL_S = 5,
    MARK_BYTES = 1 + 6 + 16, /* '#', the sender's number, nanoseconds in hexadecimal */
    PARTS = 32, /* histogram buckets for each power of two: 3 % */
};

enum stage { CLOSED, CONNECTING, ENCRYPTING, UPGRADING, GREETING, READY };
enum speech { BY_ID, PEERJS, TOPICS };

struct client {
    enum stage stage;
    int number, descriptor, target, wants_write, is_touched;
    SSL *tls;
    char *input, *output; /* part of a frame; what the kernel did not take or what waits for the end of a read */
    size_t input_bytes, output_bytes, output_size;
    char *frame; /* the message, ready to be sent but for its time */
    size_t frame_bytes, time_at;
    uint8_t mask[4];
};

static struct {
    const char *mode, *prefix;
    int port, tls, connections, bytes, in_flight, rate, idle;
    enum speech speech;
    double seconds, warm_up_s;
} options = {.prefix = "p", .connections = 100, .bytes = 300, .in_flight = 1, .rate = 50,
             .seconds = 2, .warm_up_s = 1};

static struct client *clients;
static int count, opened, poller;
static int *touched, touched_count; /* those with output that waits for the end of a read */
static int is_running;
static uint64_t messages, now_ns, last_progress_ns;
static uint64_t histogram[64 * PARTS];
#ifndef WITHOUT_TLS
static SSL_CTX *tls_context;
#endif

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static uint64_t clock_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int is_mode(const char *mode) { return strcmp(options.mode, mode) == 0; }

/* -- how long messages took --------------------------------------------------- */

static void note_time(uint64_t time_ns) {
    int power = 63 - __builtin_clzll(time_ns | PARTS);
    size_t part = (size_t)(time_ns >> (power - 5)) & (PARTS - 1);
    histogram[(size_t)power * PARTS + part]++;
}

static double percentile_us(double part) {
    uint64_t sum = 0, rank = (uint64_t)((double)messages * part);
    for (size_t i = 0; i < sizeof histogram / sizeof *histogram; i++) {
        sum += histogram[i];
        if (sum > rank) {
            int power = (int)(i / PARTS);
            uint64_t width = 1ull << (power - 5);
            return (double)((PARTS + i % PARTS) * width + width / 2) / 1e3;
        }
    }
    return 0;
}

/* -- reading and writing ------------------------------------------------------------ */

static void watch(struct client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)client->number};
    if (epoll_ctl(poller, operation, client->descriptor, &event)) fail("epoll_ctl: %s", strerror(errno));
}

static ssize_t write_some(struct client *client, const char *data, size_t bytes) {
#ifndef WITHOUT_TLS
    if (client->tls) {
        int n = SSL_write(client->tls, data, (int)bytes);
        if (n > 0) return n;
        int error = SSL_get_error(client->tls, n);
        return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
    }
#endif
    ssize_t n = send(client->descriptor, data, bytes, MSG_NOSIGNAL);
    return n < 0 && errno == EAGAIN ? 0 : n;
}

static ssize_t read_some(struct client *client, char *data, size_t bytes) {
#ifndef WITHOUT_TLS
    if (client->tls) {
        int n = SSL_read(client->tls, data, (int)bytes);
        if (n > 0) return n;
        int error = SSL_get_error(client->tls, n);
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }
#endif
    ssize_t n = recv(client->descriptor, data, bytes, 0);
    if (n < 0 && errno == EAGAIN) return 0;
    return n > 0 ? n : -1;
}

static void reset(struct client *client) {
#ifndef WITHOUT_TLS
    if (client->tls) SSL_free(client->tls);
#endif
    struct linger at_once = {.l_onoff = 1};
    setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client->descriptor);
    client->tls = NULL;
    client->stage = CLOSED;
    client->input_bytes = client->output_bytes = 0;
    client->wants_write = 0;
}

static void write_out(struct client *client) {
    size_t sent = 0;
    while (sent < client->output_bytes) {
        ssize_t n = write_some(client, client->output + sent, client->output_bytes - sent);
        if (n < 0) fail("client %d: sending failed: %s", client->number, strerror(errno));
        if (n == 0) break;
        sent += (size_t)n;
    }
    client->output_bytes -= sent;
    if (sent && client->output_bytes) memmove(client->output, client->output + sent, client->output_bytes);
    int wants_write = client->output_bytes > 0;
    if (wants_write != client->wants_write) {
        client->wants_write = wants_write;
        watch(client, EPOLL_CTL_MOD, wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void put(struct client *client, const char *data, size_t bytes) {
    if (client->output_bytes + bytes > client->output_size) {
        client->output_size = 2 * (client->output_bytes + bytes);
        client->output = realloc(client->output, client->output_size);
        if (!client->output) fail("no memory");
    }
    memcpy(client->output + client->output_bytes, data, bytes);
    client->output_bytes += bytes;
    if (!client->is_touched) {
        client->is_touched = 1;
        touched[touched_count++] = client->number;
    }
}

static void write_all_out(void) {
    for (int i = 0; i < touched_count; i++) {
        struct client *client = &clients[touched[i]];
        client->is_touched = 0;
        if (client->stage != CLOSED && !client->wants_write) write_out(client);
    }
    touched_count = 0;
}

/* -- frames and messages -------------------------------------------------------------- */

static size_t masked_frame(struct client *client, uint8_t opcode, const char *payload, size_t bytes, char *frame) {
    size_t at = 2;
    frame[0] = (char)(0x80 | opcode);
    if (bytes < 126) {
        frame[1] = (char)(0x80 | bytes);
    } else {
        frame[1] = (char)(0x80 | 126);
        frame[2] = (char)(bytes >> 8);
        frame[3] = (char)bytes;
        at = 4;
    }
    memcpy(frame + at, client->mask, 4);
    at += 4;
    for (size_t i = 0; i < bytes; i++) frame[at + i] = (char)(payload[i] ^ client->mask[i & 3]);
    return at + bytes;
}

static void say(struct client *client, const char *format, ...) {
    char text[512], frame[sizeof text + 16];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(client, frame, masked_frame(client, 1, text, (size_t)bytes, frame));
}

static void prepare_message(struct client *client) {
    static char text[MAX_PAYLOAD_BYTES + 1], filling[MAX_PAYLOAD_BYTES + 1];
    const char *format = options.speech == BY_ID ? "{\"id\":\"%s%06d\",\"type\":\"candidate\",\"candidate\":\"#%06d%016x%s\"}"
                         : options.speech == PEERJS ? "{\"type\":\"CANDIDATE\",\"dst\":\"%s%06d\",\"payload\":\"#%06d%016x%s\"}"
                                                    : "{\"type\":\"publish\",\"topic\":\"%s%06d\",\"data\":\"#%06d%016x%s\"}";
    int bare = snprintf(text, sizeof text, format, options.prefix, client->target, client->number, 0, "");
    if (bare > options.bytes) fail("--bytes must be at least %d", bare);
    memset(filling, 'x', (size_t)(options.bytes - bare));
    filling[options.bytes - bare] = 0;
    snprintf(text, sizeof text, format, options.prefix, client->target, client->number, 0, filling);
    free(client->frame);
    client->frame = malloc((size_t)options.bytes + 16);
    client->frame_bytes = masked_frame(client, 1, text, (size_t)options.bytes, client->frame);
    client->time_at = (size_t)(strchr(text, '#') - text) + 1 + 6;
}

static void send_message(struct client *client, uint64_t time_ns) {
    char *payload = client->frame + client->frame_bytes - options.bytes;
    for (size_t i = client->time_at + 16; i-- > client->time_at; time_ns >>= 4)
        payload[i] = (char)("0123456789abcdef"[time_ns & 15] ^ client->mask[i & 3]);
    put(client, client->frame, client->frame_bytes);
}

static void message_came(const char *payload, size_t bytes) {
    const char *mark = memchr(payload, '#', bytes);
    if (!mark || (size_t)(payload + bytes - mark) < MARK_BYTES) fail("an answer that is no message: %.*s", (int)bytes, payload);
    int sender = 0;
    for (int i = 1; i <= 6; i++) sender = sender * 10 + (mark[i] - '0');
    uint64_t time_ns = 0;
    for (int i = 7; i < MARK_BYTES; i++) time_ns = time_ns << 4 | (uint64_t)(mark[i] <= '9' ? mark[i] - '0' : mark[i] - 'a' + 10);
    messages++;
    note_time(now_ns - time_ns);
    if (!is_mode("latency")) send_message(&clients[sender], now_ns);
}

static void is_ready(struct client *client) {
    client->stage = READY;
    opened++;
    last_progress_ns = now_ns;
}

/* Takes one whole frame from the front; returns its size, 0 when it is not all there. */
static size_t take_frame(struct client *client, const char *data, size_t bytes) {
    if (bytes < 2) return 0;
    size_t length = (uint8_t)data[1], at = 2;
    if (length == 126) {
        if (bytes < 4) return 0;
        length = (size_t)(uint8_t)data[2] << 8 | (uint8_t)data[3];
        at = 4;
    } else if (length > 126) {
        fail("client %d: a frame that is masked or too long", client->number);
    }
    if (bytes < at + length) return 0;
    const char *payload = data + at;
    char frame[160];
    switch (data[0] & 0x0F) {
    case 1:
    case 2:
        /* A message of a former run may have been held for this peer, and comes first. */
        if (client->stage == GREETING) {
            if (!memchr(payload, '#', length)) is_ready(client);
        } else if (is_running) message_came(payload, length);
        break;
    case 8:
        fail("client %d: closed with %d %.*s", client->number,
             length >= 2 ? (uint8_t)payload[0] << 8 | (uint8_t)payload[1] : 1005,
             length > 2 ? (int)length - 2 : 0, payload + 2);
        break;
    case 9:
        put(client, frame, masked_frame(client, 10, payload, length, frame));
        break;
    default:
        break;
    }
    return at + length;
}

static void greet(struct client *client) {
    client->stage = GREETING;
    if (options.speech == BY_ID) {
        say(client, "{\"id\":\"%s%06d\",\"type\":\"greeting\"}", options.prefix, client->number);
    } else if (options.speech == TOPICS) {
        say(client, "{\"type\":\"subscribe\",\"topics\":[\"%s%06d\"]}", options.prefix, client->number);
        say(client, "{\"type\":\"ping\"}");
    } /* PeerServer says OPEN by itself */
}

static size_t take_answer(struct client *client, const char *data, size_t bytes) {
    const char *end = memmem(data, bytes, "\r\n\r\n", 4);
    if (!end) return 0;
    if (bytes < 12 || memcmp(data + 9, "101", 3)) fail("client %d: %.*s", client->number, (int)bytes, data);
    greet(client);
    return (size_t)(end + 4 - data);
}

static void open_client(struct client *client);

static void take(struct client *client) {
    static char fresh[READ_BYTES * 2];
    for (;;) {
        size_t kept = client->input_bytes;
        memcpy(fresh, client->input, kept);
        ssize_t n = read_some(client, fresh + kept, READ_BYTES);
        if (n < 0) fail("client %d: the server ended the connection", client->number);
        if (n == 0) return;
        now_ns = clock_ns();
        size_t bytes = kept + (size_t)n, at = 0, taken = 1;
        if (client->stage == UPGRADING) {
            at = take_answer(client, fresh, bytes);
            if (at && is_mode("upgrades")) {
                messages++;
                last_progress_ns = now_ns;
                touched_count = client->is_touched = 0;
                reset(client);
                open_client(client);
                return;
            }
        }
        while (client->stage >= GREETING && taken && at < bytes) at += taken = take_frame(client, fresh + at, bytes - at);
        client->input_bytes = bytes - at;
        if (client->input_bytes > READ_BYTES) fail("client %d: a frame that is too long", client->number);
        if (client->input_bytes) {
            client->input = realloc(client->input, client->input_bytes);
            memcpy(client->input, fresh + at, client->input_bytes);
        }
        if (!client->tls && (size_t)n < READ_BYTES) return;
    }
}

/* -- opening ------------------------------------------------------------------------------ */

static void send_request(struct client *client) {
    char target[128], request[512];
    const char *prefix = options.prefix;
    int number = client->number;
    if (options.speech == BY_ID) snprintf(target, sizeof target, "/%s%06d", prefix, number);
    else if (options.speech == PEERJS) snprintf(target, sizeof target, "/peerjs?key=peerjs&id=%s%06d&token=t%06d", prefix, number, number);
    else snprintf(target, sizeof target, "/");
    int bytes = snprintf(request, sizeof request,
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                         target, options.port);
    client->stage = UPGRADING;
    put(client, request, (size_t)bytes);
}

static void encrypt(struct client *client) {
#ifndef WITHOUT_TLS
    int n = SSL_connect(client->tls);
    if (n == 1) {
        send_request(client);
        return;
    }
    int error = SSL_get_error(client->tls, n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        ERR_print_errors_fp(stderr);
        fail("client %d: the TLS handshake failed", client->number);
    }
#else
    (void)client;
#endif
}

static void connected(struct client *client) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) fail("client %d: connect: %s", client->number, strerror(error));
    watch(client, EPOLL_CTL_MOD, EPOLLIN);
    if (!options.tls) {
        send_request(client);
        return;
    }
#ifndef WITHOUT_TLS
    client->stage = ENCRYPTING;
    client->tls = SSL_new(tls_context);
    SSL_set_fd(client->tls, client->descriptor);
    encrypt(client);
#endif
}

static void open_client(struct client *client) {
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->descriptor < 0) fail("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->stage = CONNECTING;
    if (connect(client->descriptor, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        fail("client %d: connect: %s", client->number, strerror(errno));
    watch(client, EPOLL_CTL_ADD, EPOLLOUT);
}

/* -- the loop ----------------------------------------------------------------------------------- */

static void turn(int timeout_ms) {
    static struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, timeout_ms);
    now_ns = clock_ns();
    uint64_t before = messages;
    for (int i = 0; i < ready; i++) {
        struct client *client = &clients[events[i].data.u32];
        if (client->stage == CONNECTING) connected(client);
        else if (client->stage == ENCRYPTING) encrypt(client);
        else if (client->stage != CLOSED) {
            if (events[i].events & EPOLLOUT) write_out(client);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(client);
        }
        write_all_out();
    }
    if (messages != before) last_progress_ns = now_ns;
    if (now_ns - last_progress_ns > (uint64_t)STALL_S * 1000000000u && !is_mode("idle")) fail("nothing came for %d s", STALL_S);
}

static void open_all(int until) {
    int next = opened;
    last_progress_ns = clock_ns();
    while (opened < until) {
        while (next < until && next - opened < OPENING_AT_ONCE) open_client(&clients[next++]);
        turn(1000);
        if (now_ns - last_progress_ns > (uint64_t)STALL_S * 1000000000u) fail("only %d of %d connections opened", opened, until);
    }
}

static void forget(void) {
    messages = 0;
    memset(histogram, 0, sizeof histogram);
}

static void run_for(double seconds) {
    uint64_t end_ns = clock_ns() + (uint64_t)(seconds * 1e9);
    do turn(100);
    while (now_ns < end_ns);
}

/* Sends what is due by the clock; it does not sleep, for a sleep is less exact than a message. */
static void run_paced_for(double seconds) {
    uint64_t start_ns = clock_ns(), end_ns = start_ns + (uint64_t)(seconds * 1e9), sent = 0;
    double gap_ns = 1e9 / ((double)options.rate * options.connections);
    do {
        turn(0);
        for (;;) {
            uint64_t due_ns = start_ns + (uint64_t)((double)sent * gap_ns);
            if (due_ns > now_ns) break;
            send_message(&clients[sent++ % (uint64_t)options.connections], due_ns);
        }
        write_all_out();
    } while (now_ns < end_ns);
}

static void measure(void (*run)(double), const char *what) {
    run(options.warm_up_s);
    forget();
    double cpu_before_s = cpu_s();
    uint64_t start_ns = clock_ns();
    run(options.seconds);
    double seconds = (double)(clock_ns() - start_ns) / 1e9;
    printf("{\"%s\": %lu, \"seconds\": %.4f, \"%s_per_s\": %.1f, ", what, (unsigned long)messages, seconds,
           what, (double)messages / seconds);
    if (strcmp(what, "upgrades")) printf("\"p50_us\": %.1f, \"p99_us\": %.1f, ", percentile_us(0.5), percentile_us(0.99));
    printf("\"generator_cpu_s\": %.4f}\n", cpu_s() - cpu_before_s);
}

static void exchange(int is_burst) {
    open_all(count);
    for (int i = 0; i < options.connections; i++) {
        clients[i].target = is_burst ? 0 : i ^ 1;
        prepare_message(&clients[i]);
    }
    is_running = 1;
    now_ns = last_progress_ns = clock_ns();
    if (is_mode("latency")) {
        measure(run_paced_for, "messages");
        return;
    }
    for (int i = is_burst; i < options.connections; i++) {
        for (int k = 0; k < options.in_flight; k++) send_message(&clients[i], now_ns);
        write_all_out();
    }
    measure(run_for, "messages");
}

static void hold(void) {
    open_all(count);
    printf("{\"open\": %d}\n", opened);
    fflush(stdout);
    struct epoll_event input = {.events = EPOLLIN, .data.u32 = 0};
    int end = epoll_create1(EPOLL_CLOEXEC), is_over = 0;
    int watched = epoll_ctl(end, EPOLL_CTL_ADD, STDIN_FILENO, &input) == 0;
    while (!is_over) {
        char rest[64];
        turn(20);
        /* A file or /dev/null cannot be watched: it has ended. */
        is_over = !watched || (epoll_wait(end, &input, 1, 0) > 0 && read(STDIN_FILENO, rest, sizeof rest) <= 0);
    }
}

static void open_again_and_again(void) {
    last_progress_ns = clock_ns();
    for (int i = 0; i < count; i++) open_client(&clients[i]);
    measure(run_for, "upgrades");
}

static void read_options(int argument_count, char **arguments) {
    static const struct option known[] = {
        {"port", 1, 0, 'p'}, {"tls", 0, 0, 't'}, {"speech", 1, 0, 's'}, {"connections", 1, 0, 'n'},
        {"bytes", 1, 0, 'b'}, {"in-flight", 1, 0, 'k'}, {"seconds", 1, 0, 'd'}, {"warm-up-s", 1, 0, 'w'},
        {"rate", 1, 0, 'r'}, {"idle", 1, 0, 'i'}, {"prefix", 1, 0, 'x'}, {0, 0, 0, 0}};
    if (argument_count < 2) fail("which mode?");
    options.mode = arguments[1];
    int option;
    while ((option = getopt_long(argument_count - 1, arguments + 1, "", known, NULL)) != -1) {
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 't': options.tls = 1; break;
        case 's': options.speech = !strcmp(optarg, "peerjs") ? PEERJS : !strcmp(optarg, "topics") ? TOPICS : BY_ID; break;
        case 'n': options.connections = atoi(optarg); break;
        case 'b': options.bytes = atoi(optarg); break;
        case 'k': options.in_flight = atoi(optarg); break;
        case 'd': options.seconds = atof(optarg); break;
        case 'w': options.warm_up_s = atof(optarg); break;
        case 'r': options.rate = atoi(optarg); break;
        case 'i': options.idle = atoi(optarg); break;
        case 'x': options.prefix = optarg; break;
        default: exit(2);
        }
    }
    if (!options.port) fail("which --port?");
    if (options.connections < 2 || options.connections % 2) fail("--connections must be even");
    if (options.bytes > MAX_PAYLOAD_BYTES) fail("--bytes must be at most %d", MAX_PAYLOAD_BYTES);
}

static void prepare(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    count = options.connections + (is_mode("latency") ? options.idle : 0);
    clients = calloc((size_t)count, sizeof *clients);
    touched = calloc((size_t)count, sizeof *touched);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!clients || !touched || poller < 0) fail("no memory");
    unsigned seed = 20;
    for (int i = 0; i < count; i++) {
        clients[i].number = i;
        for (int j = 0; j < 4; j++) clients[i].mask[j] = (uint8_t)rand_r(&seed);
    }
    if (!options.tls) return;
#ifndef WITHOUT_TLS
    tls_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(tls_context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
#else
    fail("built without TLS");
#endif
}

int main(int argument_count, char **arguments) {
    read_options(argument_count, arguments);
    prepare();
    if (is_mode("relay") || is_mode("latency")) exchange(0);
    else if (is_mode("burst")) exchange(1);
    else if (is_mode("upgrades")) open_again_and_again();
    else if (is_mode("idle")) hold();
    else fail("no such mode: %s", options.mode);
    return 0;
}
