/* The floor: a WebSocket relay with nothing in it but what the kernel needs.
 *
 *     floor PORT
 *
 * Listens on 127.0.0.1 and routes as `datachannel` does: the id is in the path,
 * the member "id" of a message says where it goes and is replaced by the
 * sender's. It checks nothing: no UTF-8, no JSON, no origin, no limits, no
 * deadlines; ids have at most 31 characters, and `"id":"` stands in a message
 * first. It is no server: it shows what the machine and the load generator
 * can do, so that the figures of servers have a ceiling to be seen against.
 * Ends on SIGTERM.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 65536, ID_SIZE = 32, READ_BYTES = 65536, SLOTS = 1 << 17, EVENTS = 512 };

struct client {
    char id[ID_SIZE];
    int is_open;
    char *input; /* what came and is not yet a whole frame */
    size_t input_bytes;
    char *output; /* what the kernel did not take */
    size_t output_bytes;
};

static struct client clients[MAX_FDS];
static int slots[SLOTS]; /* descriptor + 1 by hash of the id, open addressing */
static int poller;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

/* -- SHA-1 and base64, for Sec-WebSocket-Accept (RFC 3174, RFC 4648) ---------- */

static uint32_t rotate(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

static void sha1(const uint8_t *data, size_t length, uint8_t digest[20]) {
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[192] = {0};
    size_t blocks = (length + 9 + 63) / 64;
    memcpy(padded, data, length);
    padded[length] = 0x80;
    uint64_t bits = (uint64_t)length * 8;
    for (int i = 0; i < 8; i++) padded[blocks * 64 - 1 - i] = (uint8_t)(bits >> (8 * i));
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[80];
        for (int i = 0; i < 16; i++) {
            uint32_t word;
            memcpy(&word, padded + block * 64 + i * 4, 4);
            w[i] = ntohl(word);
        }
        for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? ((b & c) | (~b & d)) : i < 40 || i >= 60 ? (b ^ c ^ d)
                                                                : ((b & c) | (b & d) | (c & d));
            uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
            uint32_t next = rotate(a, 5) + f + e + k + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = next;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e;
    }
    for (int i = 0; i < 5; i++) {
        uint32_t word = htonl(state[i]);
        memcpy(digest + i * 4, &word, 4);
    }
}

static void base64(const uint8_t *data, size_t length, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = data[i] << 16 | (i + 1 < length ? data[i + 1] << 8 : 0) |
                         (i + 2 < length ? data[i + 2] : 0);
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = i + 1 < length ? digits[group >> 6 & 63] : '=';
        *out++ = i + 2 < length ? digits[group & 63] : '=';
    }
    *out = 0;
}

/* -- who is who ----------------------------------------------------------------- */

static unsigned slot_of(const char *id) {
    unsigned hash = 2166136261u;
    for (const char *c = id; *c; c++) hash = (hash ^ (uint8_t)*c) * 16777619u;
    return hash & (SLOTS - 1);
}

static int find(const char *id) {
    for (unsigned slot = slot_of(id); slots[slot]; slot = (slot + 1) & (SLOTS - 1)) {
        int descriptor = slots[slot] - 1;
        if (strcmp(clients[descriptor].id, id) == 0) return descriptor;
    }
    return -1;
}

static void claim(int descriptor) {
    unsigned slot = slot_of(clients[descriptor].id);
    while (slots[slot]) slot = (slot + 1) & (SLOTS - 1);
    slots[slot] = descriptor + 1;
}

static void release(int descriptor) {
    unsigned slot = slot_of(clients[descriptor].id);
    while (slots[slot] && slots[slot] != descriptor + 1) slot = (slot + 1) & (SLOTS - 1);
    if (!slots[slot]) return;
    slots[slot] = 0;
    /* What stands behind the gap may have been pushed there: put it in again. */
    for (slot = (slot + 1) & (SLOTS - 1); slots[slot]; slot = (slot + 1) & (SLOTS - 1)) {
        int moved = slots[slot] - 1;
        slots[slot] = 0;
        claim(moved);
    }
}

/* -- connections ------------------------------------------------------------------- */

static void drop(int descriptor) {
    struct client *client = &clients[descriptor];
    if (client->is_open) release(descriptor);
    free(client->input);
    free(client->output);
    memset(client, 0, sizeof *client);
    close(descriptor);
}

static void watch(int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    epoll_ctl(poller, EPOLL_CTL_MOD, descriptor, &event);
}

static void keep(char **buffer, size_t *bytes, const char *data, size_t more) {
    *buffer = realloc(*buffer, *bytes + more);
    if (!*buffer) fail("realloc");
    memcpy(*buffer + *bytes, data, more);
    *bytes += more;
}

static void send_to(int descriptor, const char *data, size_t bytes) {
    struct client *client = &clients[descriptor];
    size_t sent = 0;
    if (!client->output_bytes) {
        ssize_t n = send(descriptor, data, bytes, MSG_NOSIGNAL);
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent < bytes) {
        if (!client->output_bytes) watch(descriptor, EPOLLIN | EPOLLOUT);
        keep(&client->output, &client->output_bytes, data + sent, bytes - sent);
    }
}

static void flush_output(int descriptor) {
    struct client *client = &clients[descriptor];
    ssize_t n = send(descriptor, client->output, client->output_bytes, MSG_NOSIGNAL);
    if (n <= 0) return;
    client->output_bytes -= (size_t)n;
    memmove(client->output, client->output + n, client->output_bytes);
    if (!client->output_bytes) {
        free(client->output);
        client->output = NULL;
        watch(descriptor, EPOLLIN);
    }
}

static size_t upgrade(int descriptor, const char *data, size_t bytes) {
    struct client *client = &clients[descriptor];
    const char *end = memmem(data, bytes, "\r\n\r\n", 4);
    const char *key = memmem(data, bytes, "Sec-WebSocket-Key: ", 19);
    const char *path = memchr(data, '/', bytes);
    if (!end || !key || !path) return 0;
    size_t id_bytes = strcspn(path + 1, " ?/");
    if (id_bytes >= ID_SIZE) id_bytes = ID_SIZE - 1;
    memcpy(client->id, path + 1, id_bytes);
    uint8_t text[60], digest[20];
    memcpy(text, key + 19, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    sha1(text, sizeof text, digest);
    char accept[29], answer[256];
    base64(digest, sizeof digest, accept);
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    client->is_open = 1;
    claim(descriptor);
    send_to(descriptor, answer, (size_t)length);
    return (size_t)(end + 4 - data);
}

static void relay(int descriptor, const char *payload, size_t bytes) {
    static char frame[READ_BYTES + 128];
    const char *from = clients[descriptor].id;
    const char *start = memmem(payload, bytes, "\"id\":\"", 6);
    if (!start) return;
    start += 6;
    const char *end = memchr(start, '"', bytes - (size_t)(start - payload));
    if (!end || end - start >= ID_SIZE) return;
    char to[ID_SIZE] = {0};
    memcpy(to, start, (size_t)(end - start));
    int target = find(to);
    if (target < 0) return;
    size_t before = (size_t)(start - payload), from_bytes = strlen(from);
    size_t after = bytes - (size_t)(end - payload), length = before + from_bytes + after, at = 2;
    frame[0] = (char)0x81;
    if (length < 126) {
        frame[1] = (char)length;
    } else {
        frame[1] = 126;
        frame[2] = (char)(length >> 8);
        frame[3] = (char)length;
        at = 4;
    }
    memcpy(frame + at, payload, before);
    memcpy(frame + at + before, from, from_bytes);
    memcpy(frame + at + before + from_bytes, end, after);
    send_to(target, frame, at + length);
}

/* Takes one frame from the front; 0 when it is not all there, -1 for a close or what is too long. */
static ssize_t take_frame(int descriptor, char *data, size_t bytes) {
    if (bytes < 6) return 0;
    size_t length = data[1] & 0x7F, at = 2;
    if (length == 126) {
        length = (size_t)(uint8_t)data[2] << 8 | (uint8_t)data[3];
        at = 4;
    } else if (length == 127) {
        return -1;
    }
    if (bytes < at + 4 + length) return 0;
    char *mask = data + at, *payload = mask + 4;
    for (size_t i = 0; i < length; i++) payload[i] ^= mask[i & 3];
    if ((data[0] & 0x0F) == 8) return -1;
    if ((data[0] & 0x0F) == 1) relay(descriptor, payload, length);
    return (ssize_t)(at + 4 + length);
}

static void take(int descriptor) {
    static char fresh[READ_BYTES * 2];
    struct client *client = &clients[descriptor];
    size_t kept = client->input_bytes;
    memcpy(fresh, client->input, kept);
    ssize_t n = recv(descriptor, fresh + kept, READ_BYTES - 128, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        drop(descriptor);
        return;
    }
    size_t bytes = kept + (size_t)n, at = 0;
    if (!client->is_open) at = upgrade(descriptor, fresh, bytes);
    while (client->is_open && at < bytes) {
        ssize_t taken = take_frame(descriptor, fresh + at, bytes - at);
        if (taken < 0) {
            drop(descriptor);
            return;
        }
        if (taken == 0) break;
        at += (size_t)taken;
    }
    free(client->input);
    client->input = NULL;
    client->input_bytes = 0;
    if (at < bytes) keep(&client->input, &client->input_bytes, fresh + at, bytes - at);
    if (client->input_bytes > READ_BYTES / 2) drop(descriptor);
}

static void accept_all(int listener) {
    int descriptor;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (descriptor >= MAX_FDS) {
            close(descriptor);
            continue;
        }
        int one = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
        epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(arguments[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
    if (listen(listener, 1024)) fail("listen");
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int descriptor = events[i].data.fd;
            if (descriptor == listener) {
                accept_all(listener);
                continue;
            }
            if (events[i].events & EPOLLOUT && clients[descriptor].output_bytes) flush_output(descriptor);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(descriptor);
        }
    }
}
