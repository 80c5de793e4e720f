/*
 * floor.h: what both floors share. A floor is the cheapest server that the load driver cannot tell
 * from a real one: a single-threaded epoll loop that answers the WebSocket upgrade, the login and
 * EVENT SUBSCRIBE, and forwards EVENT EMIT to every other subscriber of the name. It checks no
 * permission, validates no JSON and has no timers, so whatever a real server costs above it is
 * the price of being one.
 *
 * f1.c and f2.c differ in two functions only: deliver() and end_turn().
 *
 * Frames are built once, in an arena that lives for one turn; nothing is allocated per delivery.
 * Every table has a stated maximum; reaching one ends the process with a message, because a floor
 * that degrades quietly would be a wrong yardstick.
 */
#ifndef FLOOR_H
#define FLOOR_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	CONNS_MAX = 1 << 15,    /* by file descriptor */
	TOPICS_MAX = 1 << 12,   /* distinct names, power of two */
	NAME_MAX_BYTES = 255,
	READ_BYTES = 64 << 10,  /* one recv */
	READS_PER_TURN = 16,    /* recvs per readable connection and turn */
	INBOUND_MAX = 1 << 20,  /* longest frame accepted */
	ARENA_BYTES = 4 << 20,  /* frames built per turn; full = flush early */
	BACKLOG_MAX = 64 << 20, /* bytes a peer may owe us */
	EVENTS_PER_TURN = 1024,
	IOVECS_MAX = 1024       /* IOV_MAX on Linux */
};

struct conn {
	int fd; /* -1 = free */
	int upgraded, dead;
	/* output of this turn, pointing into the arena; F2 only */
	int dirty;
	struct iovec *iov;
	int iovs, iov_cap;
	/* what the kernel would not take; owned by the connection */
	uint8_t *backlog;
	size_t backlog_len, backlog_cap;
	/* the incomplete frame at the end of the last read */
	uint8_t *rest;
	size_t rest_len, rest_cap;
};

struct topic {
	uint8_t name[NAME_MAX_BYTES];
	uint32_t name_len; /* 0 = free */
	struct conn **subs;
	int count, cap;
};

struct span {
	const uint8_t *p;
	size_t len;
};

static struct conn conns[CONNS_MAX];
static struct topic topics[TOPICS_MAX];
static struct conn *dead[CONNS_MAX]; /* connections to close at the end of the turn */
static int dead_count, topic_count;
static uint8_t arena[ARENA_BYTES];
static size_t arena_used;
static uint8_t inbound[INBOUND_MAX + READ_BYTES];
static int epoll_fd;

static void deliver(struct conn *c, const uint8_t *frame, size_t len);
static void end_turn(void);

static void fail(const char *what) {
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *grow(void *p, size_t bytes) {
	p = realloc(p, bytes);
	if (p == NULL) fail("realloc");
	return p;
}

/* ---- output -------------------------------------------------------------------------------- */

static void bury(struct conn *c) {
	if (c->dead) return;
	c->dead = 1;
	dead[dead_count++] = c;
}

static void watch(struct conn *c, uint32_t events) {
	struct epoll_event ev = {.events = events, .data.ptr = c};
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) != 0) bury(c);
}

/* keep copies bytes the kernel did not take; the arena they stand in ends with the turn. */
static void keep(struct conn *c, const uint8_t *p, size_t len) {
	if (c->backlog_len + len > BACKLOG_MAX) {
		bury(c);
		return;
	}
	if (c->backlog_len + len > c->backlog_cap) {
		c->backlog_cap = 2 * (c->backlog_len + len);
		c->backlog = grow(c->backlog, c->backlog_cap);
	}
	if (c->backlog_len == 0) watch(c, EPOLLIN | EPOLLOUT);
	memcpy(c->backlog + c->backlog_len, p, len);
	c->backlog_len += len;
}

/* send_now writes one run of bytes, or keeps what does not fit. */
static void send_now(struct conn *c, const uint8_t *p, size_t len) {
	if (c->dead) return;
	if (c->backlog_len > 0) {
		keep(c, p, len);
		return;
	}
	ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
	if (n == (ssize_t)len) return;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		bury(c);
		return;
	}
	if (n < 0) n = 0;
	keep(c, p + n, len - (size_t)n);
}

static void on_writable(struct conn *c) {
	ssize_t n = send(c->fd, c->backlog, c->backlog_len, MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR) bury(c);
		return;
	}
	c->backlog_len -= (size_t)n;
	memmove(c->backlog, c->backlog + n, c->backlog_len);
	if (c->backlog_len == 0) watch(c, EPOLLIN);
}

/* frame builds one unmasked binary frame in the arena: its header, then the payload. */
static struct span frame(const uint8_t *payload, size_t len) {
	if (len + 10 > ARENA_BYTES - arena_used) {
		end_turn();
		arena_used = 0;
	}
	uint8_t *p = arena + arena_used, *start = p;
	*p++ = 0x82;
	if (len < 126) {
		*p++ = (uint8_t)len;
	} else if (len <= 0xffff) {
		*p++ = 126;
		*p++ = (uint8_t)(len >> 8);
		*p++ = (uint8_t)len;
	} else {
		*p++ = 127;
		for (int shift = 56; shift >= 0; shift -= 8) *p++ = (uint8_t)((uint64_t)len >> shift);
	}
	memcpy(p, payload, len);
	arena_used += (size_t)(p - start) + len;
	return (struct span){start, (size_t)(p - start) + len};
}

static void reply(struct conn *c, const uint8_t *payload, size_t len) {
	struct span f = frame(payload, len);
	deliver(c, f.p, f.len);
}

/* ---- subscriptions ------------------------------------------------------------------------- */

static struct topic *find_topic(struct span name, int create) {
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < name.len; i++) h = (h ^ name.p[i]) * 16777619u;
	for (uint32_t i = h;; i++) {
		struct topic *t = &topics[i & (TOPICS_MAX - 1)];
		if (t->name_len == name.len && memcmp(t->name, name.p, name.len) == 0) return t;
		if (t->name_len != 0) continue;
		if (!create) return NULL;
		if (++topic_count == TOPICS_MAX || name.len > NAME_MAX_BYTES) {
			errno = E2BIG;
			fail("topics");
		}
		memcpy(t->name, name.p, name.len);
		t->name_len = (uint32_t)name.len;
		return t;
	}
}

static void subscribe(struct conn *c, struct span name) {
	if (name.len == 0) return;
	struct topic *t = find_topic(name, 1);
	for (int i = 0; i < t->count; i++)
		if (t->subs[i] == c) return;
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 8;
		t->subs = grow(t->subs, (size_t)t->cap * sizeof *t->subs);
	}
	t->subs[t->count++] = c;
}

/* unsubscribe_all walks every topic: closing is never measured, a reverse index would be. */
static void unsubscribe_all(struct conn *c) {
	for (int i = 0; i < TOPICS_MAX; i++) {
		struct topic *t = &topics[i];
		for (int j = 0; j < t->count; j++)
			if (t->subs[j] == c) t->subs[j--] = t->subs[--t->count];
	}
}

/* ---- messages ------------------------------------------------------------------------------ */

static int varint(struct span *s, uint64_t *v) {
	*v = 0;
	for (int shift = 0; shift < 64 && s->len > 0; shift += 7) {
		uint8_t b = *s->p++;
		s->len--;
		*v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) return 1;
	}
	return 0;
}

/* field reads one protobuf field: its number, and its varint value or its bytes. 0 = end or broken. */
static int field(struct span *s, uint64_t *number, uint64_t *value, struct span *bytes) {
	uint64_t tag;
	if (!varint(s, &tag)) return 0;
	*number = tag >> 3;
	if ((tag & 7) == 0) return varint(s, value);
	if ((tag & 7) != 2 || !varint(s, value) || *value > s->len) return 0;
	*bytes = (struct span){s->p, *value};
	s->p += *value;
	s->len -= *value;
	return 1;
}

static void on_event(struct conn *c, struct span body, struct span whole) {
	enum { EMIT = 2, SUBSCRIBE = 3 };
	uint64_t number, value = 0, action = 0;
	struct span bytes = {0}, name = {0}, correlation = {0}, walk = body;
	while (field(&walk, &number, &value, &bytes)) {
		if (number == 1) action = value;
		if (number == 3) correlation = bytes;
		if (number == 6) name = bytes;
		if (number == 7 && action == SUBSCRIBE) subscribe(c, bytes);
	}
	if (action == SUBSCRIBE) {
		uint8_t ack[96] = {0, 0x10, 4, 0x1a, 0, 0x08, SUBSCRIBE, 0x1a};
		if (correlation.len > 64) return;
		size_t n = 8;
		ack[n++] = (uint8_t)correlation.len;
		memcpy(ack + n, correlation.p, correlation.len);
		n += correlation.len;
		ack[n++] = 0x28; /* isAck */
		ack[n++] = 1;
		ack[0] = (uint8_t)(n - 1);
		ack[4] = (uint8_t)(n - 5);
		reply(c, ack, n);
		return;
	}
	if (action != EMIT) return;
	struct topic *t = find_topic(name, 0);
	if (t == NULL || t->count == 0) return;
	struct span f = frame(whole.p, whole.len);
	for (int i = 0; i < t->count; i++)
		if (t->subs[i] != c) deliver(t->subs[i], f.p, f.len);
}

/* on_message takes one frame's payload: a length, then the envelope {2: topic, 3: message}. */
static void on_message(struct conn *c, struct span whole) {
	static const uint8_t accept[] = {6, 0x10, 2, 0x1a, 2, 0x08, 4};
	static const uint8_t authenticated[] = {6, 0x10, 3, 0x1a, 2, 0x08, 3};
	static const uint8_t pong[] = {6, 0x10, 2, 0x1a, 2, 0x08, 3};
	uint64_t len, number, value = 0, topic = 0;
	struct span s = whole, bytes = {0}, body = {0};
	if (!varint(&s, &len) || len > s.len) return;
	s.len = len;
	while (field(&s, &number, &value, &bytes)) {
		if (number == 2) topic = value;
		if (number == 3) body = bytes;
	}
	if (topic == 4) {
		on_event(c, body, whole);
	} else if (topic == 3) {
		reply(c, authenticated, sizeof authenticated);
	} else if (topic == 2 && body.len >= 2 && body.p[1] == 5) {
		reply(c, accept, sizeof accept);
	} else if (topic == 2 && body.len >= 2 && body.p[1] == 2) {
		reply(c, pong, sizeof pong);
	}
}

/* ---- WebSocket ----------------------------------------------------------------------------- */

static void sha1(const uint8_t *data, size_t len, uint8_t out[20]) {
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t padded[192] = {0}; /* the only input is a key of 24 bytes and a GUID of 36 */
	size_t total = (len + 9 + 63) / 64 * 64;
	memcpy(padded, data, len);
	padded[len] = 0x80;
	for (int i = 0; i < 8; i++) padded[total - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
	for (size_t off = 0; off < total; off += 64) {
		uint32_t w[80], v[5];
		for (int i = 0; i < 80; i++) {
			if (i < 16) {
				const uint8_t *p = padded + off + 4 * i;
				w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
			} else {
				uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
				w[i] = x << 1 | x >> 31;
			}
		}
		memcpy(v, h, sizeof v);
		for (int i = 0; i < 80; i++) {
			uint32_t f, k;
			if (i < 20) f = (v[1] & v[2]) | (~v[1] & v[3]), k = 0x5a827999;
			else if (i < 40) f = v[1] ^ v[2] ^ v[3], k = 0x6ed9eba1;
			else if (i < 60) f = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]), k = 0x8f1bbcdc;
			else f = v[1] ^ v[2] ^ v[3], k = 0xca62c1d6;
			uint32_t t = (v[0] << 5 | v[0] >> 27) + f + v[4] + k + w[i];
			v[4] = v[3], v[3] = v[2], v[2] = v[1] << 30 | v[1] >> 2, v[1] = v[0], v[0] = t;
		}
		for (int i = 0; i < 5; i++) h[i] += v[i];
	}
	for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64_20(const uint8_t in[20], char out[29]) {
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t padded[21] = {0};
	memcpy(padded, in, 20);
	for (int i = 0; i < 7; i++) {
		uint32_t v = (uint32_t)padded[3 * i] << 16 | (uint32_t)padded[3 * i + 1] << 8 | padded[3 * i + 2];
		for (int j = 0; j < 4; j++) out[4 * i + j] = digits[v >> (18 - 6 * j) & 63];
	}
	out[27] = '=';
	out[28] = 0;
}

/* upgrade answers the HTTP request; returns its length, or 0 while it is incomplete. */
static size_t upgrade(struct conn *c, uint8_t *p, size_t len) {
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
	uint8_t *end = memmem(p, len, "\r\n\r\n", 4);
	if (end == NULL) return 0;
	*end = 0;
	char *key = strcasestr((char *)p, "\r\nSec-WebSocket-Key:");
	uint8_t joined[60], digest[20];
	char accept[29], response[256];
	if (key == NULL) {
		bury(c);
		return len;
	}
	key += 20;
	while (*key == ' ') key++;
	if (strlen(key) < 24) {
		bury(c);
		return len;
	}
	memcpy(joined, key, 24);
	memcpy(joined + 24, guid, 36);
	sha1(joined, sizeof joined, digest);
	base64_20(digest, accept);
	int n = snprintf(response, sizeof response,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\n\r\n", accept);
	send_now(c, (uint8_t *)response, (size_t)n);
	c->upgraded = 1;
	return (size_t)(end - p) + 4;
}

static void unmask(uint8_t *p, size_t len, const uint8_t key[4]) {
	uint64_t wide, word;
	memcpy(&wide, key, 4);
	memcpy((uint8_t *)&wide + 4, key, 4);
	size_t i = 0;
	for (; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		word ^= wide;
		memcpy(p + i, &word, 8);
	}
	for (; i < len; i++) p[i] ^= key[i & 3];
}

/* take_frame consumes one client frame; returns its length, or 0 while it is incomplete. */
static size_t take_frame(struct conn *c, uint8_t *p, size_t len) {
	if (len < 6) return 0;
	size_t head = 6, n = p[1] & 0x7f;
	if (n == 126) {
		if (len < 8) return 0;
		head = 8;
		n = (size_t)p[2] << 8 | p[3];
	} else if (n == 127) {
		if (len < 14) return 0;
		head = 14;
		n = 0;
		for (int i = 2; i < 10; i++) n = n << 8 | p[i];
	}
	if ((p[1] & 0x80) == 0 || n > INBOUND_MAX - 14) { /* RFC 6455 §5.1: clients mask */
		bury(c);
		return len;
	}
	if (len < head + n) return 0;
	if (p[0] == 0x82) {
		unmask(p + head, n, p + head - 4);
		on_message(c, (struct span){p + head, n});
	} else if ((p[0] & 0x0f) == 8) {
		bury(c);
	}
	return head + n;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void on_bytes(struct conn *c, size_t len) {
	size_t used = 0;
	while (used < len && !c->dead) {
		size_t n = c->upgraded ? take_frame(c, inbound + used, len - used) : upgrade(c, inbound + used, len - used);
		if (n == 0) break;
		used += n;
	}
	c->rest_len = c->dead ? 0 : len - used;
	if (c->rest_len > c->rest_cap) c->rest = grow(c->rest, c->rest_cap = 2 * c->rest_len);
	if (c->rest_len > 0) memcpy(c->rest, inbound + used, c->rest_len);
}

static void on_readable(struct conn *c) {
	for (int i = 0; i < READS_PER_TURN && !c->dead; i++) {
		if (c->rest_len > INBOUND_MAX) {
			bury(c);
			return;
		}
		if (c->rest_len > 0) memcpy(inbound, c->rest, c->rest_len);
		ssize_t n = recv(c->fd, inbound + c->rest_len, READ_BYTES, 0);
		if (n <= 0) {
			if (n == 0 || (errno != EAGAIN && errno != EINTR)) bury(c);
			return;
		}
		on_bytes(c, c->rest_len + (size_t)n);
		if (n < READ_BYTES) return;
	}
}

static void accept_all(int listener) {
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
			fail("accept");
		}
		if (fd >= CONNS_MAX) {
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		struct conn *c = &conns[fd];
		memset(c, 0, sizeof *c);
		c->fd = fd;
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) fail("epoll_ctl");
	}
}

static void close_dead(void) {
	for (int i = 0; i < dead_count; i++) {
		struct conn *c = dead[i];
		unsubscribe_all(c);
		close(c->fd);
		free(c->iov);
		free(c->backlog);
		free(c->rest);
		memset(c, 0, sizeof *c);
		c->fd = -1;
	}
	dead_count = 0;
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 4096) != 0) fail("listen");
	return fd;
}

int main(int argc, char **argv) {
	if (argc != 2) {
		fprintf(stderr, "usage: %s port\n", argv[0]);
		return 2;
	}
	int listener = listen_on(atoi(argv[1]));
	if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create1");
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS_PER_TURN];
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev) != 0) fail("epoll_ctl");
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS_PER_TURN, -1);
		if (n < 0 && errno != EINTR) fail("epoll_wait");
		arena_used = 0;
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c == NULL) {
				accept_all(listener);
				continue;
			}
			if (events[i].events & EPOLLOUT && !c->dead) on_writable(c);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !c->dead) on_readable(c);
		}
		end_turn();
		close_dead();
	}
}

#endif
