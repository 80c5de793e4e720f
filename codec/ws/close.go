package ws

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// CloseCode says why a connection ends. RFC 6455 §7.4 and the IANA registry.
type CloseCode uint16

// The close codes. NoStatus and Abnormal are never on the wire: NoStatus stands for a close frame
// without a code, Abnormal for no close frame at all.
const (
	CloseNormal           CloseCode = 1000
	CloseGoingAway        CloseCode = 1001
	CloseProtocolError    CloseCode = 1002
	CloseUnsupportedData  CloseCode = 1003
	CloseNoStatus         CloseCode = 1005
	CloseAbnormal         CloseCode = 1006
	CloseInvalidPayload   CloseCode = 1007
	ClosePolicyViolation  CloseCode = 1008
	CloseMessageTooBig    CloseCode = 1009
	CloseMissingExtension CloseCode = 1010
	CloseInternalError    CloseCode = 1011
	CloseServiceRestart   CloseCode = 1012
	CloseTryAgainLater    CloseCode = 1013
	CloseBadGateway       CloseCode = 1014
)

// CloseReasonBytesMax is what a control frame leaves for the reason behind the code.
const CloseReasonBytesMax = ControlBytesMax - 2

// Valid reports whether a peer may send c in a close frame.
func (c CloseCode) Valid() bool {
	switch {
	case c >= CloseNormal && c <= CloseUnsupportedData:
		return true
	case c >= CloseInvalidPayload && c <= CloseBadGateway:
		return true
	default:
		return c >= 3000 && c <= 4999 // RFC 6455 §7.4.2: registered and private use
	}
}

// CloseError is the peer's mistake and the close frame it earns. Next returns no other error.
// Values are preallocated and compare by identity.
type CloseError struct {
	Code   CloseCode
	Reason string
}

// Error formats the code and the reason.
func (e *CloseError) Error() string { return fmt.Sprintf("ws: close %d: %s", e.Code, e.Reason) }

var (
	errReservedBits = &CloseError{CloseProtocolError, "reserved bit set"}
	errOpcode       = &CloseError{CloseProtocolError, "unknown opcode"}
	errUnmasked     = &CloseError{CloseProtocolError, "frame not masked"}
	errControl      = &CloseError{CloseProtocolError, "control frame fragmented or too long"}
	errSize         = &CloseError{CloseProtocolError, "frame size not minimal"}
	errNotStarted   = &CloseError{CloseProtocolError, "continuation without a message"}
	errNotFinished  = &CloseError{CloseProtocolError, "new message inside a fragmented one"}
	errCloseFrame   = &CloseError{CloseProtocolError, "invalid close frame"}
	errKind         = &CloseError{CloseUnsupportedData, "message kind not accepted"}
	errUTF8         = &CloseError{CloseInvalidPayload, "text is not UTF-8"}
	errTooBig       = &CloseError{CloseMessageTooBig, "message too big"}
	errBudget       = &CloseError{CloseTryAgainLater, "server is short of memory"}
)

// AppendClose appends a server's close frame. With CloseNoStatus it has no payload; a reason longer
// than CloseReasonBytesMax is cut between two characters.
func AppendClose(dst []byte, code CloseCode, reason string) []byte {
	if code == CloseNoStatus {
		return AppendHeader(dst, Close, 0)
	}
	n := len(reason)
	if n > CloseReasonBytesMax {
		n = CloseReasonBytesMax
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
	}
	dst = AppendHeader(dst, Close, 2+n)
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason[:n]...)
}

// closeMessage decodes the payload of a close frame. RFC 6455 §5.5.1.
func closeMessage(p []byte) (Message, error) {
	if len(p) == 0 {
		return Message{Kind: Close, Code: CloseNoStatus}, nil
	}
	if len(p) == 1 {
		return Message{}, errCloseFrame
	}
	code, reason := CloseCode(binary.BigEndian.Uint16(p)), p[2:]
	if !code.Valid() {
		return Message{}, errCloseFrame
	}
	if !utf8.Valid(reason) {
		return Message{}, errUTF8
	}
	return Message{Kind: Close, Code: code, Payload: reason}, nil
}
