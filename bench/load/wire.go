package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Numbers of the protocol this driver needs. Source: wire.md §4 to §6.
const (
	topicConnection, topicAuth, topicEvent        = 2, 3, 4
	connectionAccept, connectionChallenge         = 4, 5
	authRequest, authSuccessful                   = 2, 3
	eventEmit, eventSubscribe                     = 2, 3
	fieldAction, fieldData, fieldCorrelation      = 1, 2, 3
	fieldEventName, fieldEventNames               = 6, 7
	fieldURL, fieldVersion                        = 5, 6
	opBinary, opClose                        byte = 2, 8
)

// maskKey masks every client frame. RFC 6455 asks for an unpredictable one against proxies, which
// loopback has none of; a fixed one lets a frame be built once and numbered in place.
var maskKey = [4]byte{0x5a, 0xc3, 0x96, 0x3c}

var errFrame = errors.New("load: malformed frame from the server")

// appendField appends one length-delimited protobuf field.
func appendField(dst []byte, number int, value string) []byte {
	dst = append(dst, byte(number<<3|2))
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

// message returns the delimited envelope of an inner message.
func message(topic byte, inner []byte) []byte {
	head := binary.AppendUvarint([]byte{0x10, topic, 0x1a}, uint64(len(inner)))
	dst := binary.AppendUvarint(nil, uint64(len(head)+len(inner)))
	dst = append(dst, head...)
	return append(dst, inner...)
}

// appendFrame appends payload as one masked binary frame.
func appendFrame(dst, payload []byte) []byte {
	dst = append(dst, 0x80|opBinary)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = append(dst, maskKey[:]...)
	for i, b := range payload {
		dst = append(dst, b^maskKey[i&3])
	}
	return dst
}

// nextFrame splits the first server frame off b: opcode, payload and the length of the whole. The
// length is 0 while the frame is incomplete. Server frames are unmasked; a fragment is an error,
// since no server here has a reason to send one.
//
// Hot path: 0 allocations, see BenchmarkCount.
func nextFrame(b []byte) (op byte, payload []byte, length int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	if b[0]&0x80 == 0 || b[1]&0x80 != 0 {
		return 0, nil, 0, errFrame
	}
	head, n := 2, uint64(b[1])
	switch {
	case n == 126 && len(b) >= 4:
		head, n = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case n == 127 && len(b) >= 10:
		head, n = 10, binary.BigEndian.Uint64(b[2:])
	case n >= 126:
		return 0, nil, 0, nil
	}
	if n > frameBytesMax {
		return 0, nil, 0, errFrame
	}
	if end := head + int(n); end <= len(b) {
		return b[0] & 0x0f, b[head:end], end, nil
	}
	return 0, nil, 0, nil
}

// answer is what the driver reads of a server's message.
type answer struct {
	topic, action uint64
	data          []byte
	isAck         bool // EVENT only: the field's number differs between topics
}

// decode reads the first delimited message of payload; slices of the answer alias it.
func decode(payload []byte) (answer, error) {
	var a answer
	n, k := binary.Uvarint(payload)
	if k <= 0 || n > uint64(len(payload)-k) {
		return a, errFrame
	}
	var inner []byte
	err := eachField(payload[k:k+int(n)], func(number int, value uint64, bytes []byte) {
		switch number {
		case 2:
			a.topic = value
		case 3:
			inner = bytes
		}
	})
	if err != nil {
		return a, err
	}
	err = eachField(inner, func(number int, value uint64, bytes []byte) {
		switch number {
		case fieldAction:
			a.action = value
		case fieldData:
			a.data = bytes
		case 5:
			a.isAck = value == 1
		}
	})
	return a, err
}

// eachField calls visit for every varint or length-delimited field of a protobuf message.
func eachField(b []byte, visit func(number int, value uint64, bytes []byte)) error {
	for len(b) > 0 {
		tag, k := binary.Uvarint(b)
		if k <= 0 {
			return errFrame
		}
		value, m := binary.Uvarint(b[k:])
		if m <= 0 {
			return errFrame
		}
		b = b[k+m:]
		switch tag & 7 {
		case 0:
			visit(int(tag>>3), value, nil)
		case 2:
			if value > uint64(len(b)) {
				return errFrame
			}
			visit(int(tag>>3), value, b[:value])
			b = b[value:]
		default:
			return fmt.Errorf("%w: wire type %d", errFrame, tag&7)
		}
	}
	return nil
}

// A payload is JSON text: a quote, the message's number in digitBytes hex digits, filler, a quote.
const (
	digitBytes = 8

	// PayloadBytesMin is the shortest payload that still carries its number.
	PayloadBytesMin = digitBytes + 2
)

const hexDigits = "0123456789abcdef"

// putNumber writes n into dst as hex digits, masked as they stand at offset at of the frame payload.
func putNumber(dst []byte, n uint32, at int) {
	for i := range digitBytes {
		dst[i] = hexDigits[n>>(28-4*i)&15] ^ maskKey[(at+i)&3]
	}
}

// number reads unmasked hex digits. ok is false for anything else.
func number(digits []byte) (n uint32, ok bool) {
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, len(digits) == digitBytes
}
