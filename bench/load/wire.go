package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Numbers of the protocol this driver needs. Source: wire.md §4 to §6.
const (
	topicConnection, topicAuth, topicEvent, topicRecord       = 2, 3, 4, 5
	connectionAccept, connectionChallenge                     = 4, 5
	authRequest, authSuccessful                               = 2, 3
	eventEmit, eventSubscribe                                 = 2, 3
	recordRead, recordReadResponse, recordWriteAck            = 3, 4, 14
	recordCreateAndUpdate, recordUpdate                       = 16, 18
	recordSubscribeCreateAndRead                              = 23
	fieldAction, fieldData, fieldCorrelation                  = 1, 2, 3
	fieldIsError, fieldIsAck                                  = 4, 5 // EVENT and RECORD only
	fieldName, fieldNames                                     = 6, 7
	fieldIsWriteAck, fieldVersion                             = 11, 13
	fieldURL, fieldProtocolVersion                            = 5, 6
	anyVersion                                          int64 = -1
	opBinary, opClose                                   byte  = 2, 8
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

// appendNumber appends one varint protobuf field.
func appendNumber(dst []byte, number int, value int64) []byte {
	return binary.AppendUvarint(append(dst, byte(number<<3)), uint64(value))
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

// eachMessage hands the payload of every complete frame in b to visit and returns what is left of b.
func eachMessage(b []byte, visit func(payload []byte) error) (rest []byte, err error) {
	for {
		op, payload, n, err := nextFrame(b)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return b, nil
		}
		b = b[n:]
		if op == opClose {
			return nil, errors.New("closed by the server")
		}
		if op != opBinary {
			continue
		}
		if err := visit(payload); err != nil {
			return nil, err
		}
	}
}

// readBehind does one read from a readable fd into buf, behind rest, and returns both. Nothing new
// came if that is as long as rest.
func readBehind(fd int, buf, rest []byte) ([]byte, error) {
	kept := copy(buf, rest)
	n, err := unix.Read(fd, buf[kept:kept+readBytes])
	switch {
	case errors.Is(err, unix.EINTR):
		return buf[:kept], nil
	case err != nil:
		return nil, err
	case n == 0:
		return nil, errors.New("closed by the server")
	}
	return buf[:kept+n], nil
}

// keepRest copies what is left of a read to where the next one finds it.
func keepRest(dst, rest []byte) ([]byte, error) {
	if len(rest) > frameBytesMax {
		return nil, errFrame
	}
	return append(dst[:0], rest...), nil
}

// answer is what the driver reads of a server's message; fields of EVENT and RECORD, which number them
// alike, mean nothing with other topics.
type answer struct {
	topic, action, version     uint64
	name, data, correlation    []byte
	isError, isAck, isWriteAck bool
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
		case fieldCorrelation:
			a.correlation = bytes
		case fieldIsError:
			a.isError = value == 1
		case fieldIsAck:
			a.isAck = value == 1
		case fieldName:
			a.name = bytes
		case fieldIsWriteAck:
			a.isWriteAck = value == 1
		case fieldVersion:
			a.version = value
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

// A payload is JSON text: a quote, the message's number in digitBytes hex digits, filler, a quote. That
// of a record stands in brackets, because a record is an object or an array.
const (
	digitBytes = 8

	// PayloadBytesMin is the shortest payload that still carries its number.
	PayloadBytesMin = digitBytes + 4
)

// payload returns size bytes of JSON text with number 0, and where the number stands in it.
func payload(size int, record bool) (text string, digitsAt int) {
	open, end := `"`, `"`
	if record {
		open, end = `["`, `"]`
	}
	filler := size - digitBytes - len(open) - len(end)
	return open + strings.Repeat("0", digitBytes) + strings.Repeat("x", filler) + end, len(open)
}

const hexDigits = "0123456789abcdef"

// putDigits writes n into dst as hex digits.
func putDigits(dst []byte, n uint32) {
	for i := range digitBytes {
		dst[i] = hexDigits[n>>(28-4*i)&15]
	}
}

// putNumber does the same, masked as the digits stand at offset at of the frame payload.
func putNumber(dst []byte, n uint32, at int) {
	putDigits(dst, n)
	for i := range digitBytes {
		dst[i] ^= maskKey[(at+i)&3]
	}
}

// numberIn reads the digits at offset at of data, if there are that many.
func numberIn(data []byte, at int) (n uint32, ok bool) {
	if len(data) < at+digitBytes {
		return 0, false
	}
	return number(data[at : at+digitBytes])
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
