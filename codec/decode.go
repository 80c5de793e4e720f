package codec

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"deepstream-fast/protocol"
)

// What Decode can have against its input.
var (
	// ErrTruncated: the message goes on behind the end of the input.
	ErrTruncated = errors.New("codec: message is truncated")
	// ErrMalformed: the bytes are not protobuf, or use groups.
	ErrMalformed = errors.New("codec: message is malformed")
	// ErrTopic: the message has no topic, or one without a schema.
	ErrTopic = errors.New("codec: unknown topic")
	// ErrVersions: the message lists more than VersionsMax versions.
	ErrVersions = errors.New("codec: too many versions")
)

// VersionsMax is the largest number of versions in one decoded message. They are the only list
// Decode has to allocate, less than 3 MiB; no client sends any.
const VersionsMax = 1 << 16

// Decode resets m and decodes the first delimited message of b into it. It returns how many bytes
// of b that message took. The slices of m view b: they live as long as b is left alone.
//
// On an error the contents of m are unspecified, except that m.Topic is the topic received, or
// TopicUnknown if it was not understood. If n < len(b), the extent of the bad message is known and
// the caller may go on with b[n:]; n == len(b) says that nothing usable is left.
//
// A scalar that occurs twice takes its last value; numbers are cut to 32 bits; a missing version of
// a versions entry is 0 and a missing name is empty. Repeated names in versions are all kept.
//
// Hot path: 0 allocs without versions, see BenchmarkDecode. Source: spec/wire.md §3, §7.
func Decode(m *protocol.Message, b []byte) (n int, err error) {
	m.Reset()
	size, i := uvarint(b, 0)
	if i == 0 {
		return len(b), prefixError(b)
	}
	if size > uint64(len(b)-i) {
		return len(b), ErrTruncated
	}
	n = i + int(size)
	topic, body, ok := envelope(b[i:n])
	if !ok {
		return n, ErrMalformed
	}
	m.Topic = topic
	s := schemaOf(topic)
	if s == nil {
		return n, ErrTopic
	}
	return n, s.decode(m, body)
}

// prefixError says why b does not start with a varint.
func prefixError(b []byte) error {
	if _, n := protowire.ConsumeVarint(b); errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return ErrMalformed
}

// envelope returns the topic and the inner message of b, which is a whole envelope.
func envelope(b []byte) (t protocol.Topic, body []byte, ok bool) {
	if len(b) > 4 && b[0] == tagTopic && b[1] < 0x80 && b[2] == tagMessage {
		if size, i := uvarint(b, 3); i != 0 && size == uint64(len(b)-i) {
			return protocol.Topic(b[1]), b[i:], true
		}
	}
	return oddEnvelope(b)
}

// oddEnvelope is envelope for fields in an order, number or spelling that no official client uses.
func oddEnvelope(b []byte) (t protocol.Topic, body []byte, ok bool) {
	for i := 0; i < len(b); {
		tag, at := uvarint(b, i)
		switch {
		case at == 0:
			return 0, nil, false
		case tag == tagTopic:
			var v uint64
			v, i = uvarint(b, at)
			t = protocol.Topic(v)
		case tag == tagMessage:
			body, i = view(b, at)
		default:
			i = skip(b, at, tag)
		}
		if i == 0 {
			return 0, nil, false
		}
	}
	return t, body, true
}

// decode decodes the inner message b into m.
func (s *schema) decode(m *protocol.Message, b []byte) error {
	names := 0
	for i := 0; i < len(b); {
		tag, at := uvarint(b, i)
		if at == 0 {
			return ErrMalformed
		}
		f := fUnknown
		if tag < uint64(len(s.fields)) {
			f = s.fields[tag]
		}
		switch {
		case f == fUnknown:
			i = skip(b, at, tag)
		case tag&7 == wireVarint:
			var v uint64
			v, i = uvarint(b, at)
			setNumber(m, f, v)
		default:
			var v []byte
			v, i = view(b, at)
			switch f {
			case fNames, fLeadNames:
				names++
			case fVersions:
				if err := addVersion(m, v); err != nil {
					return err
				}
			default:
				setBytes(m, f, v)
			}
		}
		if i == 0 {
			return ErrMalformed
		}
	}
	if names > 0 {
		m.Names = protocol.WireNames(b, s.tags[fNames]|s.tags[fLeadNames], names)
	}
	return nil
}

// setNumber stores v, a varint, in field f of m. Like the official decoder it cuts numbers to 32
// bits and takes every value but 0 for true.
func setNumber(m *protocol.Message, f field, v uint64) {
	switch f {
	case fAction:
		m.Action = protocol.Action(v)
	case fIsError:
		m.IsError = v != 0
	case fIsAck:
		m.IsAck = v != 0
	case fIsWriteAck:
		m.IsWriteAck = v != 0
	case fVersion:
		m.Version, m.HasVersion = int32(v), true
	case fOriginalTopic, fLeadTopic:
		m.OriginalTopic = protocol.Topic(v)
	case fOriginalAction, fLeadAction:
		m.OriginalAction = protocol.Action(v)
	}
}

// setBytes stores v in field f of m.
func setBytes(m *protocol.Message, f field, v []byte) {
	switch f {
	case fData:
		m.Data = v
	case fCorrelationID:
		m.CorrelationID = v
	case fName:
		m.Name = v
	case fSubscription:
		m.Subscription = v
	case fPath:
		m.Path = v
	case fRequestorName:
		m.RequestorName = v
	case fRequestorData:
		m.RequestorData = v
	case fURL:
		m.URL = v
	case fProtocolVersion:
		m.ProtocolVersion = v
	case fSDKVersion:
		m.SDKVersion = v
	case fSDKType:
		m.SDKType = v
	}
}

// addVersion appends the map entry b to the versions of m.
func addVersion(m *protocol.Message, b []byte) error {
	if len(m.Versions) == VersionsMax {
		return ErrVersions
	}
	e := protocol.NameVersion{Name: b[:0:0]}
	for i := 0; i < len(b); {
		tag, at := uvarint(b, i)
		switch {
		case at == 0:
			return ErrMalformed
		case tag == tagKey:
			e.Name, i = view(b, at)
		case tag == tagValue:
			var v uint64
			v, i = uvarint(b, at)
			e.Version = int32(v)
		default:
			i = skip(b, at, tag)
		}
		if i == 0 {
			return ErrMalformed
		}
	}
	m.Versions = append(m.Versions, e)
	return nil
}

// uvarint returns the varint at b[i] and the index behind it, or index 0 if there is none.
func uvarint(b []byte, i int) (v uint64, next int) {
	if i < len(b) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	return longVarint(b, i)
}

// longVarint is uvarint for varints of more than one byte.
func longVarint(b []byte, i int) (v uint64, next int) {
	v, n := protowire.ConsumeVarint(b[i:])
	if n < 0 {
		return 0, 0
	}
	return v, i + n
}

// view returns the length-delimited value at b[i] and the index behind it, or index 0 if b ends
// before the value does.
func view(b []byte, i int) (v []byte, next int) {
	size, i := uvarint(b, i)
	if i == 0 || size > uint64(len(b)-i) {
		return nil, 0
	}
	end := i + int(size)
	return b[i:end:end], end
}

// skip returns the index behind the value at b[i] that stands under tag, or 0 if there is no such
// value. Groups are no values: the protocol never had any, and they nest.
func skip(b []byte, i int, tag uint64) (next int) {
	number, wire := tag>>3, protowire.Type(tag&7)
	if number == 0 || number > uint64(protowire.MaxValidNumber) || wire == protowire.StartGroupType {
		return 0
	}
	n := protowire.ConsumeFieldValue(protowire.Number(number), wire, b[i:])
	if n < 0 {
		return 0
	}
	return i + n
}
