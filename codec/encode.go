package codec

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Size returns how many bytes Append will write for m.
func Size(m *protocol.Message) int {
	s := schemaOf(m.Topic)
	if s == nil {
		return 0
	}
	return delimitedSize(s.size(m))
}

// Append appends m to dst as one delimited message and returns the extended slice. It allocates
// only to grow dst, once. Nothing of m is kept. The action and a version that HasVersion are
// written whatever they are; other numbers and flags when they are not zero; slices when they are
// not nil; lists when they are not empty. Fields the topic of m does not have are left out.
//
// m.Topic has to be one that Decode takes: to send any other is a mistake of ours, and appends
// nothing.
//
// Hot path: 0 allocs into a large enough dst, see BenchmarkEncode. Source: spec/wire.md §3, §7.
func Append(dst []byte, m *protocol.Message) []byte {
	s := schemaOf(m.Topic)
	if s == nil {
		invariant.Assert(false, "codec: append of topic %v", m.Topic)
		return dst
	}
	size := s.size(m)
	start, total := len(dst), delimitedSize(size)
	dst = slices.Grow(dst, total)
	dst = appendUvarint(dst, uint64(envelopeSize(size)))
	dst = append(dst, tagTopic, byte(m.Topic), tagMessage)
	dst = appendUvarint(dst, uint64(size))
	dst = s.append(dst, m)
	if invariant.Enabled && len(dst)-start != total {
		invariant.Assert(false, "codec: %v took %d bytes, not %d", m.Topic, len(dst)-start, total)
	}
	return dst
}

// envelopeSize returns the size of the envelope around an inner message of size bytes.
func envelopeSize(size int) int { return 3 + protowire.SizeBytes(size) }

// delimitedSize returns the size of a whole delimited message with an inner message of size bytes.
func delimitedSize(size int) int { return protowire.SizeBytes(envelopeSize(size)) }

// size returns the size of m as an inner message. It mirrors append line by line.
func (s *schema) size(m *protocol.Message) int {
	n := 1 + numberSize(int32(m.Action))
	n += optNumberSize(s.tags[fLeadTopic], int32(m.OriginalTopic))
	n += optNumberSize(s.tags[fLeadAction], int32(m.OriginalAction))
	n += bytesSize(s.tags[fData], m.Data)
	n += bytesSize(s.tags[fCorrelationID], m.CorrelationID)
	n += flagSize(s.tags[fIsError], m.IsError)
	n += flagSize(s.tags[fIsAck], m.IsAck)
	n += namesSize(s.tags[fLeadNames], &m.Names)
	n += bytesSize(s.tags[fName], m.Name)
	n += namesSize(s.tags[fNames], &m.Names)
	n += bytesSize(s.tags[fSubscription], m.Subscription)
	n += optNumberSize(s.tags[fOriginalTopic], int32(m.OriginalTopic))
	n += optNumberSize(s.tags[fOriginalAction], int32(m.OriginalAction))
	n += flagSize(s.tags[fIsWriteAck], m.IsWriteAck)
	n += bytesSize(s.tags[fPath], m.Path)
	if m.HasVersion && s.tags[fVersion] != 0 {
		n += 1 + numberSize(m.Version)
	}
	n += versionsSize(s.tags[fVersions], m.Versions)
	n += bytesSize(s.tags[fRequestorName], m.RequestorName)
	n += bytesSize(s.tags[fRequestorData], m.RequestorData)
	n += bytesSize(s.tags[fURL], m.URL)
	n += bytesSize(s.tags[fProtocolVersion], m.ProtocolVersion)
	n += bytesSize(s.tags[fSDKVersion], m.SDKVersion)
	n += bytesSize(s.tags[fSDKType], m.SDKType)
	return n
}

// append appends m as an inner message, in the order of the field constants.
func (s *schema) append(b []byte, m *protocol.Message) []byte {
	b = appendNumber(b, s.tags[fAction], int32(m.Action))
	b = appendOptNumber(b, s.tags[fLeadTopic], int32(m.OriginalTopic))
	b = appendOptNumber(b, s.tags[fLeadAction], int32(m.OriginalAction))
	b = appendOptBytes(b, s.tags[fData], m.Data)
	b = appendOptBytes(b, s.tags[fCorrelationID], m.CorrelationID)
	b = appendFlag(b, s.tags[fIsError], m.IsError)
	b = appendFlag(b, s.tags[fIsAck], m.IsAck)
	b = appendNames(b, s.tags[fLeadNames], &m.Names)
	b = appendOptBytes(b, s.tags[fName], m.Name)
	b = appendNames(b, s.tags[fNames], &m.Names)
	b = appendOptBytes(b, s.tags[fSubscription], m.Subscription)
	b = appendOptNumber(b, s.tags[fOriginalTopic], int32(m.OriginalTopic))
	b = appendOptNumber(b, s.tags[fOriginalAction], int32(m.OriginalAction))
	b = appendFlag(b, s.tags[fIsWriteAck], m.IsWriteAck)
	b = appendOptBytes(b, s.tags[fPath], m.Path)
	if m.HasVersion && s.tags[fVersion] != 0 {
		b = appendNumber(b, s.tags[fVersion], m.Version)
	}
	b = appendVersions(b, s.tags[fVersions], m.Versions)
	b = appendOptBytes(b, s.tags[fRequestorName], m.RequestorName)
	b = appendOptBytes(b, s.tags[fRequestorData], m.RequestorData)
	b = appendOptBytes(b, s.tags[fURL], m.URL)
	b = appendOptBytes(b, s.tags[fProtocolVersion], m.ProtocolVersion)
	b = appendOptBytes(b, s.tags[fSDKVersion], m.SDKVersion)
	b = appendOptBytes(b, s.tags[fSDKType], m.SDKType)
	return b
}

// In what follows tag 0 stands for a field the schema does not have: nothing is written.

// numberSize returns the size of v without its tag. A negative int32 takes ten bytes on the wire.
func numberSize(v int32) int { return protowire.SizeVarint(uint64(int64(v))) }

func optNumberSize(tag byte, v int32) int {
	if v == 0 || tag == 0 {
		return 0
	}
	return 1 + numberSize(v)
}

func flagSize(tag byte, on bool) int {
	if !on || tag == 0 {
		return 0
	}
	return 2
}

func bytesSize(tag byte, v []byte) int {
	if v == nil || tag == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(len(v))
}

func namesSize(tag byte, names *protocol.Names) int {
	if names.Len() == 0 || tag == 0 {
		return 0
	}
	n := names.Len() // a tag each
	it := names.Iter()
	for it.Next() {
		n += protowire.SizeBytes(len(it.Name()))
	}
	return n
}

func versionsSize(tag byte, versions []protocol.NameVersion) int {
	if tag == 0 {
		return 0
	}
	n := len(versions) // a tag each
	for _, v := range versions {
		n += protowire.SizeBytes(entrySize(v))
	}
	return n
}

// entrySize returns the size of v as a map entry. Both halves are written whatever they are.
func entrySize(v protocol.NameVersion) int {
	return 1 + protowire.SizeBytes(len(v.Name)) + 1 + numberSize(v.Version)
}

func appendUvarint(b []byte, v uint64) []byte {
	if v < 0x80 {
		return append(b, byte(v))
	}
	return protowire.AppendVarint(b, v)
}

func appendNumber(b []byte, tag byte, v int32) []byte {
	return appendUvarint(append(b, tag), uint64(int64(v)))
}

func appendOptNumber(b []byte, tag byte, v int32) []byte {
	if v == 0 || tag == 0 {
		return b
	}
	return appendNumber(b, tag, v)
}

func appendFlag(b []byte, tag byte, on bool) []byte {
	if !on || tag == 0 {
		return b
	}
	return append(b, tag, 1)
}

func appendBytes(b []byte, tag byte, v []byte) []byte {
	return append(appendUvarint(append(b, tag), uint64(len(v))), v...)
}

func appendOptBytes(b []byte, tag byte, v []byte) []byte {
	if v == nil || tag == 0 {
		return b
	}
	return appendBytes(b, tag, v)
}

func appendNames(b []byte, tag byte, names *protocol.Names) []byte {
	if names.Len() == 0 || tag == 0 {
		return b
	}
	it := names.Iter()
	for it.Next() {
		b = appendBytes(b, tag, it.Name())
	}
	return b
}

func appendVersions(b []byte, tag byte, versions []protocol.NameVersion) []byte {
	if tag == 0 {
		return b
	}
	for _, v := range versions {
		b = appendUvarint(append(b, tag), uint64(entrySize(v)))
		b = appendBytes(b, tagKey, v.Name)
		b = appendNumber(b, tagValue, v.Version)
	}
	return b
}
