package ws

import "encoding/binary"

// Opcode is the type of a frame, and the kind of the message it begins. RFC 6455 §5.2.
type Opcode uint8

// Kind names an Opcode where it describes a whole message.
type Kind = Opcode

// The opcodes of RFC 6455 §11.8. No message is of kind Continuation, hence None.
const (
	Continuation Opcode = 0x0
	None         Kind   = Continuation
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

const (
	// HeaderBytesMax is the size of the longest frame header, a masked one.
	HeaderBytesMax = 14
	// ControlBytesMax is the longest payload of a ping, pong or close. RFC 6455 §5.5.
	ControlBytesMax = 125
)

const (
	bitFin    = 0x80 // first byte: last frame of its message
	bitsRSV   = 0x70 // first byte: extensions, of which we have none
	bitsOp    = 0x0F // first byte: opcode
	bitMask   = 0x80 // second byte: a masking key follows
	bitsSize  = 0x7F // second byte: size, or one of the next two
	sizeIn16  = 126  // the size is in the next 2 bytes
	sizeIn64  = 127  // the size is in the next 8 bytes
	keyBytes  = 4
	opcodeSet = 1<<Continuation | 1<<Text | 1<<Binary | 1<<Close | 1<<Ping | 1<<Pong
)

// IsControl reports whether op may stand between the fragments of a message.
func (op Opcode) IsControl() bool { return op&0x8 != 0 }

// String returns the name of op, or "reserved".
func (op Opcode) String() string {
	switch op {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	default:
		return "reserved"
	}
}

// header is a decoded frame header.
type header struct {
	size uint64 // payload bytes the peer declared
	key  uint32 // masking key, first byte lowest
	op   Opcode
	fin  bool
}

// parseHeader decodes the header of a client's frame at the start of b and returns its size. The
// size is 0 while b holds only a part of it. Checks that need no other frame are made here, in the
// order of the bytes, so that the error does not depend on how much of the header is there.
func parseHeader(b []byte) (h header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h.op, h.fin = Opcode(b[0]&bitsOp), b[0]&bitFin != 0
	size := b[1] & bitsSize
	switch {
	case b[0]&bitsRSV != 0:
		return h, 0, errReservedBits
	case opcodeSet>>h.op&1 == 0:
		return h, 0, errOpcode
	case b[1]&bitMask == 0:
		return h, 0, errUnmasked
	case h.op.IsControl() && (!h.fin || size > ControlBytesMax):
		return h, 0, errControl
	}
	n = 2 + keyBytes
	switch size {
	default:
		h.size = uint64(size)
	case sizeIn16:
		if len(b) < 4 {
			return h, 0, nil
		}
		n += 2
		h.size = uint64(binary.BigEndian.Uint16(b[2:]))
		if h.size < sizeIn16 { // RFC 6455 §5.2: the minimal number of bytes MUST be used
			return h, 0, errSize
		}
	case sizeIn64:
		if len(b) < 10 {
			return h, 0, nil
		}
		n += 8
		h.size = binary.BigEndian.Uint64(b[2:])
		if h.size>>16 == 0 || h.size>>63 != 0 {
			return h, 0, errSize
		}
	}
	if len(b) < n {
		return h, 0, nil
	}
	h.key = binary.LittleEndian.Uint32(b[n-keyBytes : n])
	return h, n, nil
}

// HeaderSize returns the size of the header a server puts before n bytes of payload.
func HeaderSize(n int) int {
	switch {
	case n < sizeIn16:
		return 2
	case n < 1<<16:
		return 4
	default:
		return 10
	}
}

// AppendHeader appends the header of an unfragmented server frame with n bytes of payload.
func AppendHeader(dst []byte, op Opcode, n int) []byte {
	return appendHeader(dst, op, n, 0)
}

// Payload returns the payload of a whole frame that AppendHeader has begun.
func Payload(frame []byte) []byte {
	switch frame[1] & bitsSize {
	case sizeIn16:
		return frame[4:]
	case sizeIn64:
		return frame[10:]
	}
	return frame[2:]
}

// AppendFrame appends a whole unfragmented server frame.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(appendHeader(dst, op, len(payload), 0), payload...)
}

// AppendMasked appends a whole unfragmented client frame, masked with key. payload is not modified.
// It is here for drivers and tests; a server never masks.
func AppendMasked(dst []byte, op Opcode, key [keyBytes]byte, payload []byte) []byte {
	dst = append(appendHeader(dst, op, len(payload), bitMask), key[:]...)
	dst = append(dst, payload...)
	unmask(dst[len(dst)-len(payload):], binary.LittleEndian.Uint32(key[:]))
	return dst
}

func appendHeader(dst []byte, op Opcode, n int, mask byte) []byte {
	first := bitFin | byte(op)
	switch {
	case n < sizeIn16:
		return append(dst, first, mask|byte(n))
	case n < 1<<16:
		return append(dst, first, mask|sizeIn16, byte(n>>8), byte(n))
	default:
		dst = append(dst, first, mask|sizeIn64)
		return binary.BigEndian.AppendUint64(dst, uint64(n))
	}
}
