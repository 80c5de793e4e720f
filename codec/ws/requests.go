package ws

import "bytes"

// Requests follows a stream of HTTP/1 requests, as it comes from the socket, and finds the first byte
// that a strict reader would not take. Whoever lets only checked bytes through to a more tolerant reader
// has a stream that both cut in the same places. The zero value is ready for the first byte.
//
// It keeps a head that is not complete, HeadBytesMax at most, and nothing else.
type Requests struct {
	partial []byte // head or trailer section received so far
	left    int64  // bytes of the body or the chunk to come
	size    int    // bytes of the chunk's line so far
	state   requestState
	err     error
}

type requestState uint8

const (
	inHead requestState = iota
	inBody
	inChunkSize  // digits
	inChunkNote  // an extension, which means nothing
	inChunkLF    // the CR was there
	inChunk      // data
	inChunkEnd   // CR behind data
	inChunkEndLF // LF behind it
	inTrailer
)

// afterData is what follows the last byte of a body or a chunk.
var afterData = [...]requestState{inBody: inHead, inChunk: inChunkEnd}

// chunkLineMax bounds the line in front of a chunk: 15 digits and an extension nobody needs.
const (
	chunkDigitsMax = 15
	chunkLineMax   = 256
	trailerMax     = 2 << 10 // bytes of a trailer section
)

// Check takes the next bytes of the stream and returns how many of them are fit to be let through: all,
// or with an error, a *HeadError, those in front of the flaw. Nothing may follow an error.
func (r *Requests) Check(b []byte) (n int, err error) {
	for n < len(b) && r.err == nil {
		n += r.step(b[n:])
	}
	return n, r.err
}

// InHead reports whether the stream stands in front of a request or in its head.
func (r *Requests) InHead() bool { return r.state == inHead }

// step takes some of b, at least one byte, or finds a flaw in it.
func (r *Requests) step(b []byte) int {
	switch r.state {
	case inHead, inTrailer:
		return r.lines(b)
	case inBody, inChunk:
		n := int(min(int64(len(b)), r.left))
		if r.left -= int64(n); r.left == 0 {
			r.state = afterData[r.state]
		}
		return n
	}
	return r.chunkLine(b[0])
}

// lines takes a head or a trailer section as far as b has it. What was let through of one that turns out
// to be flawed later is never complete without what comes here.
func (r *Requests) lines(b []byte) int {
	had, most := len(r.partial), HeadBytesMax
	if r.state == inTrailer {
		most = trailerMax
	}
	if had == 0 && r.state == inHead {
		if end := HeadEnd(b, 0); end >= 0 {
			r.ended(b[:end])
			return r.unless(end)
		}
	}
	take := b[:min(len(b), most+1-had)]
	r.partial = append(r.partial, take...)
	end := HeadEnd(r.partial, had)
	switch {
	case end < 0 && BareLF(r.partial, had):
		r.fail(FlawLineEnd)
	case end < 0 && len(r.partial) > most:
		r.fail(FlawSize)
	case end < 0:
		return len(take)
	default:
		r.ended(r.partial[:end])
		r.partial = nil
		return r.unless(end - had)
	}
	return 0
}

// unless returns n, or 0 after a flaw.
func (r *Requests) unless(n int) int {
	if r.err != nil {
		return 0
	}
	return n
}

// ended judges a complete head or trailer section.
func (r *Requests) ended(section []byte) {
	if r.state == inTrailer {
		r.trailer(section)
		return
	}
	h, err := ParseHead(section)
	switch {
	case err != nil:
		r.err = err
	case h.Length == Chunked:
		r.state, r.size, r.left = inChunkSize, 0, 0
	case h.Length > 0:
		r.state, r.left = inBody, h.Length
	}
}

func (r *Requests) trailer(section []byte) {
	_, rest, _ := cutLine(section) // the line end that lines starts with
	for {
		line, more, ok := cutLine(rest)
		if !ok {
			r.fail(FlawLineEnd)
			return
		}
		if len(line) == 0 {
			r.state = inHead
			return
		}
		var h Head
		if flaw := h.field(line); flaw != FlawNone || h.length || h.Length != 0 || h.Host != nil {
			r.fail(FlawChunk)
			return
		}
		rest = more
	}
}

// chunkLine takes one byte of what stands between the data of chunks. RFC 9112 §7.1.
func (r *Requests) chunkLine(c byte) int {
	r.size++
	switch {
	case r.state == inChunkSize && isHex(c) && r.size <= chunkDigitsMax:
		r.left = r.left<<4 | hexValue(c)
	case r.state == inChunkSize && c == ';' && r.size > 1:
		r.state = inChunkNote
	case r.state == inChunkNote && c >= ' ' && c != 0x7F && r.size < chunkLineMax:
	case (r.state == inChunkSize || r.state == inChunkNote) && c == '\r' && r.size > 1:
		r.state = inChunkLF
	case r.state == inChunkLF && c == '\n' && r.left > 0:
		r.state = inChunk
	case r.state == inChunkLF && c == '\n': // the last one
		r.state, r.partial = inTrailer, append(r.partial, "\r\n"...)
	case r.state == inChunkEnd && c == '\r':
		r.state = inChunkEndLF
	case r.state == inChunkEndLF && c == '\n':
		r.state, r.size, r.left = inChunkSize, 0, 0
	default:
		r.fail(FlawChunk)
		return 0
	}
	return 1
}

func (r *Requests) fail(f Flaw) {
	r.err, r.partial = flawed(f), nil
}

// BareLF reports whether a line of b ends without a CR, looking at what lies behind its first from bytes.
// Such a head never ends for HeadEnd, but does for more tolerant readers.
func BareLF(b []byte, from int) bool {
	for i := from; ; i++ {
		next := bytes.IndexByte(b[i:], '\n')
		if next < 0 {
			return false
		}
		if i += next; i == 0 || b[i-1] != '\r' {
			return true
		}
	}
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func hexValue(c byte) int64 {
	if isDigit(c) {
		return int64(c - '0')
	}
	return int64(c|0x20-'a') + 10
}
