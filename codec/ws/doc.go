// Package ws is RFC 6455 as pure functions over bytes: the opening handshake, the frames a server
// reads, the frames it writes; and the heads of HTTP requests, with Requests to find out where each ends.
// It has no sockets and no clock; the caller owns both.
//
// A loop that just read b drains it like this. The last Next returns None, has consumed all of b
// and holds nothing but what is still partial:
//
//	for {
//		m, n, err := c.reader.Next(b, &limits)
//		if err != nil {
//			return refuse(err) // always a *CloseError: answer with AppendClose, then close
//		}
//		if m.Kind == ws.None {
//			return nil
//		}
//		b = b[n:]
//		handle(m)
//	}
//
// # Invariants
//   - How a stream is cut into reads never changes which messages and which error come out of it
//     (except that a Budget may be exhausted sooner by one connection than by another).
//   - A size over its limit is refused from the frame header, before any of that payload is kept.
//   - Memory follows the bytes that arrived, never the length a peer declared: at most twice the
//     bytes of the message so far plus 1 KiB, all of it reserved in the Budget. (While a buffer is
//     being moved to a bigger one, both are.)
//   - A Reader with nothing partial is one nil pointer.
//   - No payload outlives the next call of Next or Release on its Reader, nor the caller's b.
//
// Cost: a message that lies whole in b takes no allocation and no copy, see BenchmarkNext. Masking
// is undone in place. Extensions are never negotiated, so every RSV bit is an error.
// Stability: internal, may change.
package ws
