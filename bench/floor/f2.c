/*
 * f2.c: the floor for saturation. A delivery only notes where the frame stands; at the end of the
 * turn each connection gets everything noted for it in one writev().
 *
 * Frames of one turn stand next to each other in the arena, so a frame that follows the previous
 * one of the same connection just makes its last vector longer: with one busy name the kernel
 * copies one run of bytes per connection, the cheapest output there is.
 */
#include "floor.h"

static struct conn *dirty[CONNS_MAX]; /* connections with queued output */
static int dirty_count;

static void flush(struct conn *c) {
	int iovs = c->iovs;
	c->iovs = 0;
	if (c->dead || iovs == 0) return;
	ssize_t n = 0;
	if (c->backlog_len == 0) {
		/* A single vector goes through send(), which spares the kernel the import of the list. */
		struct msghdr m = {.msg_iov = c->iov, .msg_iovlen = (size_t)iovs};
		n = iovs == 1 ? send(c->fd, c->iov[0].iov_base, c->iov[0].iov_len, MSG_NOSIGNAL) : sendmsg(c->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			bury(c);
			return;
		}
		if (n < 0) n = 0;
	}
	for (int i = 0; i < iovs; i++) {
		size_t len = c->iov[i].iov_len;
		if ((size_t)n >= len) {
			n -= (ssize_t)len;
			continue;
		}
		keep(c, (uint8_t *)c->iov[i].iov_base + n, len - (size_t)n);
		n = 0;
	}
}

static void deliver(struct conn *c, const uint8_t *frame, size_t len) {
	if (c->iovs > 0) {
		struct iovec *last = &c->iov[c->iovs - 1];
		if ((uint8_t *)last->iov_base + last->iov_len == frame) {
			last->iov_len += len;
			return;
		}
	}
	if (c->iovs == IOVECS_MAX) flush(c);
	if (c->iovs == c->iov_cap) {
		c->iov_cap = c->iov_cap ? 2 * c->iov_cap : 8;
		c->iov = grow(c->iov, (size_t)c->iov_cap * sizeof *c->iov);
	}
	if (!c->dirty) {
		c->dirty = 1;
		dirty[dirty_count++] = c;
	}
	c->iov[c->iovs++] = (struct iovec){(void *)frame, len};
}

static void end_turn(void) {
	for (int i = 0; i < dirty_count; i++) {
		dirty[i]->dirty = 0;
		flush(dirty[i]);
	}
	dirty_count = 0;
}
