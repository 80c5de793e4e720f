package codec

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// TestSchemasAscend holds what the encoder relies on: in the order of the constants the tags of every
// schema ascend, each is a byte, and the decoder's table is their inverse.
func TestSchemasAscend(t *testing.T) {
	for topic := range schemas {
		s := &schemas[topic]
		last := byte(0)
		for f, tag := range s.tags {
			if tag == 0 {
				continue
			}
			if tag <= last || tag >= 0x80 || tag>>3 == 0 {
				t.Errorf("topic %d: tag %d of field %d comes after tag %d", topic, tag, f, last)
			}
			if s.fields[tag] != field(f) || tag&7 != field(f).wireType() {
				t.Errorf("topic %d: tag %d leads to field %d, not %d", topic, tag, s.fields[tag], f)
			}
			last = tag
		}
		if s.known != (s.tags[fAction] == 1<<3) {
			t.Errorf("topic %d: known %v, action under tag %d", topic, s.known, s.tags[fAction])
		}
	}
}

// full returns a message of topic t with every field of Message present.
func full(t protocol.Topic) *protocol.Message {
	text := func(s string) []byte { return []byte(s) }
	return &protocol.Message{
		Topic: t, Action: 2, Data: text("data"), CorrelationID: text("id"), Name: text("name"), Subscription: text("sub"),
		Path: text("path"), Names: protocol.ListNames([][]byte{text("n1"), nil}), IsError: true, IsAck: true, IsWriteAck: true,
		HasVersion: true, Version: -5, Versions: []protocol.NameVersion{{Name: text("v"), Version: 9}},
		OriginalTopic: 7, OriginalAction: -1, RequestorName: text("rn"), RequestorData: text("rd"),
		URL: text("url"), ProtocolVersion: text("pv"), SDKVersion: text("sv"), SDKType: text("st"),
	}
}

// TestAppendLeavesOutForeignFields lets the oracle tell which fields of a full message are on the
// wire: those of its schema, once each, and none under a number the schema does not have.
func TestAppendLeavesOutForeignFields(t *testing.T) {
	for topic := range schemas {
		m := full(protocol.Topic(topic))
		if !schemas[topic].known {
			continue
		}
		b := Append(nil, m)
		want, ok := oracleDecode(b)
		if !ok {
			t.Errorf("the oracle refuses %x", b)
			continue
		}
		var got protocol.Message
		if _, err := Decode(&got, b); err != nil {
			t.Error(err)
		}
		requireEqual(t, m.Topic.String(), &got, want)
		fields := 0
		for _, tag := range schemas[topic].tags {
			if tag != 0 {
				fields++
			}
		}
		if n := len(tagsOf(t, b)); n != fields {
			t.Errorf("%v: %d distinct tags on the wire, %d in the schema", m.Topic, n, fields)
		}
	}
}

// tagsOf returns the distinct tags of the inner message of b.
func tagsOf(t *testing.T, b []byte) map[uint64]bool {
	t.Helper()
	body, _ := protowire.ConsumeBytes(b)
	_, inner, ok := envelope(body)
	if !ok {
		t.Fatalf("no envelope in %x", b)
	}
	tags := map[uint64]bool{}
	for i := 0; i < len(inner); {
		tag, at := uvarint(inner, i)
		tags[tag] = true
		if i = skip(inner, at, tag); i == 0 {
			t.Fatalf("bad field in %x", b)
		}
	}
	return tags
}

// TestAppendKeepsWhatIsThere appends behind other bytes, of every length that changes the size of a
// length: 3 MiB makes it four bytes.
func TestAppendKeepsWhatIsThere(t *testing.T) {
	for _, size := range []int{0, 1, 100, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_370, 16_380, 16_384, 3 << 20} {
		m := protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Data: make([]byte, size)}
		b := Append([]byte("before"), &m)
		rest, found := bytes.CutPrefix(b, []byte("before"))
		if !found || len(rest) != Size(&m) {
			t.Fatalf("size %d: %d bytes appended, Size %d", size, len(rest), Size(&m))
		}
		var got protocol.Message
		if n, err := Decode(&got, rest); n != len(rest) || err != nil {
			t.Fatalf("size %d: Decode took %d of %d bytes, error %v", size, n, len(rest), err)
		}
		requireEqual(t, "decoded", &got, &m)
	}
}

// TestAppendRelaysDecodedNames encodes a list of names that is still in its wire form, for a topic
// with another number for it.
func TestAppendRelaysDecodedNames(t *testing.T) {
	var in, out protocol.Message
	if _, err := Decode(&in, unhex(t, "12 1004 1a0e 0803 3a0161 1a0130 3a00 3a026263")); err != nil {
		t.Fatal(err)
	}
	out = protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCProvide, Names: in.Names}
	want := unhex(t, "0f 1006 1a0b 0808 320161 3200 32026263")
	if got := Append(nil, &out); !bytes.Equal(got, want) {
		t.Errorf("\n got %x\nwant %x", got, want)
	}
}

func TestAppendRefusesUnknownTopics(t *testing.T) {
	for _, topic := range []protocol.Topic{-1, protocol.TopicUnknown, protocol.TopicStateRegistry, protocol.TopicError} {
		m := protocol.Message{Topic: topic}
		if Size(&m) != 0 {
			t.Errorf("Size of topic %v is %d", topic, Size(&m))
		}
		func() {
			defer func() {
				if violated := recover() != nil; violated != invariant.Enabled {
					t.Errorf("topic %v: invariant violated: %v", topic, violated)
				}
			}()
			if b := Append(nil, &m); len(b) != 0 {
				t.Errorf("topic %v: appended %x", topic, b)
			}
		}()
	}
}

func TestEncodeAllocatesNothing(t *testing.T) {
	for _, c := range benchMessages() {
		buf := make([]byte, 0, Size(&c.m))
		if n := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], &c.m) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
		// One, but the race detector makes slices.Grow take two.
		if n := testing.AllocsPerRun(100, func() { Append(nil, &c.m) }); n > 2 {
			t.Errorf("%s: %v allocations into nothing", c.name, n)
		}
	}
}
