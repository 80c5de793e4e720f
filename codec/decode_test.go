package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"deepstream-fast/protocol"
)

// unhex decodes s, in which blanks set the parts of a message apart.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// delimit wraps an inner message as the official encoder does.
func delimit(topic protocol.Topic, inner []byte) []byte {
	envelope := append([]byte{tagTopic, byte(topic), tagMessage}, protowire.AppendBytes(nil, inner)...)
	return protowire.AppendBytes(nil, envelope)
}

func TestDecodeUnusual(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"message before topic", "06 1a020802 1002", "CONNECTION PING"},
		{"topic only", "02 1002", "CONNECTION UNKNOWN"},
		{"last topic wins", "08 1005 1002 1a020802", "CONNECTION PING"},
		{"last message wins", "0a 1002 1a020803 1a020802", "CONNECTION PING"},
		{"unknown fields of the envelope", "10 0801 1002 220161 2d00000000 1a020802", "CONNECTION PING"},
		{"topic in two bytes", "07 108200 1a020802", "CONNECTION PING"},
		{"topic cut to 32 bits", "0a 108280808010 1a020802", "CONNECTION PING"},
		{"lengths in more bytes than they need", "8780808000 1002 1a8200 0802", "CONNECTION PING"},
		{"empty inner message", "04 1004 1a00", "EVENT UNKNOWN"},
		{"tag in two bytes", "07 1002 1a03 880002", "CONNECTION PING"},
		{"last scalar wins", "0c 1004 1a08 0802 320161 320162", `EVENT EMIT name="b"`},
		{"fields in any order", "09 1004 1a05 320161 0802", `EVENT EMIT name="a"`},
		{"unknown field of every wire type", "20 1004 1a1c 0802 f80701 f9070000000000000000 fa070161 fd0700000000 320161", `EVENT EMIT name="a"`},
		{"wrong wire type is skipped", "0b 1004 1a070802 3005 320161", `EVENT EMIT name="a"`},
		{"present and empty", "0a 1004 1a06 0802 1200 3200", `EVENT EMIT name="" data=""`},
		{"flags of any value", "0b 1004 1a07 0803 2002 288001", "EVENT SUBSCRIBE isAck isError"},
		{"false flags", "0a 1004 1a06 0803 2000 2800", "EVENT SUBSCRIBE"},
		{"names between other fields", "12 1004 1a0e 0803 3a0161 1a0130 3a00 3a026263", `EVENT SUBSCRIBE correlationId="0" names=["a" "" "bc"]`},
		{"name tag in two bytes", "0b 1004 1a07 0803 ba0002 6162", `EVENT SUBSCRIBE names=["ab"]`},
		{"negative version", "11 1005 1a0d 0806 68ffffffffffffffffff01", "RECORD HEAD_RESPONSE version=-1"},
		{"version of 32 bits", "0c 1005 1a08 0806 68ffffffff0f", "RECORD HEAD_RESPONSE version=-1"},
		{"version zero", "08 1005 1a04 0806 6800", "RECORD HEAD_RESPONSE version=0"},
		{"versions with defaults", "12 1005 1a0e 0808 7200 72021007 7204 0a026162", `RECORD HEAD_RESPONSE_BULK versions: ""@0 ""@7 "ab"@0`},
		{"rpc numbers", "0d 1006 1a09 0808 320161 3a026263", `RPC PROVIDE name="bc" names=["a"]`},
		{"not UTF-8", "0a 1004 1a06 0802 3202ff80", `EVENT EMIT name="\xff\x80"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.in)
			m := protocol.Message{Topic: protocol.TopicRPC, SDKType: []byte("left over"), HasVersion: true}
			n, err := Decode(&m, append(b, 0xff))
			if n != len(b) || err != nil {
				t.Fatalf("took %d of %d bytes, error %v", n, len(b), err)
			}
			if got := m.String(); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			checkDecoded(t, &m, b, nil)
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	const after = "0610021a020802"
	for _, c := range []struct {
		name, in string
		err      error
		topic    protocol.Topic
		lost     bool // what follows the message is unusable
	}{
		{"no input", "", ErrTruncated, 0, true},
		{"empty envelope", "00", ErrTopic, 0, false},
		{"topic UNKNOWN", "06 1000 1a020802", ErrTopic, protocol.TopicUnknown, false},
		{"topic STATE_REGISTRY", "06 100b 1a020802", ErrTopic, protocol.TopicStateRegistry, false},
		{"topic ERROR", "06 1064 1a020802", ErrTopic, protocol.TopicError, false},
		{"negative topic", "0f 10ffffffffffffffffff01 1a020802", ErrTopic, -1, false},
		{"topic of 12 bits", "0c 10841a 088100 0801 0801 0801", ErrTopic, 0xd04, false},
		{"message without topic", "04 1a020802", ErrTopic, 0, false},
		{"length beyond the input", "7f 1002", ErrTruncated, 0, true},
		{"length beyond an int", "ffffffffffffffffff01", ErrTruncated, 0, true},
		{"length of eleven bytes", "ffffffffffffffffffff01", ErrMalformed, 0, true},
		{"length overflows", "ffffffffffffffffff7f", ErrMalformed, 0, true},
		{"message overruns the envelope", "06 1002 1a030802", ErrMalformed, 0, false},
		{"envelope ends in a tag", "03 100210", ErrMalformed, 0, false},
		{"group in the envelope", "08 1002 0b0c 1a020802", ErrMalformed, 0, false},
		{"field 0", "08 1002 1a04 0802 0001", ErrMalformed, protocol.TopicConnection, false},
		{"field beyond 29 bits", "0c 1002 1a08 0802 f8ffffff1f00", ErrMalformed, protocol.TopicConnection, false},
		{"field beyond 32 bits", "0d 1002 1a09 0802 888080808001 00", ErrMalformed, protocol.TopicConnection, false},
		{"end of a group", "07 1002 1a03 0802 0c", ErrMalformed, protocol.TopicConnection, false},
		{"group", "08 1002 1a04 0802 7374", ErrMalformed, protocol.TopicConnection, false},
		{"wire type 6", "07 1002 1a03 0802 0e", ErrMalformed, protocol.TopicConnection, false},
		{"tag without value", "07 1002 1a03 0802 12", ErrMalformed, protocol.TopicConnection, false},
		{"last tag cut short", "07 1002 1a03 0802 fa", ErrMalformed, protocol.TopicConnection, false},
		{"tag of the envelope cut short", "07 1002 1a020802 fa", ErrMalformed, 0, false},
		{"tag in a versions entry cut short", "07 1005 1a03 7201 fa", ErrMalformed, protocol.TopicRecord, false},
		{"value overruns", "09 1004 1a05 0802 320261", ErrMalformed, protocol.TopicEvent, false},
		{"name overruns", "09 1004 1a05 0803 3a0261", ErrMalformed, protocol.TopicEvent, false},
		{"number without end", "06 1004 1a02 0880", ErrMalformed, protocol.TopicEvent, false},
		{"fixed 64 cut short", "09 1004 1a05 0802 790000", ErrMalformed, protocol.TopicEvent, false},
		{"versions entry overruns", "09 1005 1a05 7203 0a0561", ErrMalformed, protocol.TopicRecord, false},
		{"group in a versions entry", "08 1005 1a04 7202 2324", ErrMalformed, protocol.TopicRecord, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.in)
			n := len(b)
			if !c.lost {
				b = append(b, unhex(t, after)...)
			}
			var m protocol.Message
			got, err := Decode(&m, b)
			if got != n || !errors.Is(err, c.err) || m.Topic != c.topic {
				t.Errorf("took %d bytes, error %v, topic %v; want %d, %v, %v", got, err, m.Topic, n, c.err, c.topic)
			}
			if _, ok := oracleDecode(b); ok {
				t.Error("the oracle accepts it")
			}
		})
	}
}

// TestDecodeCut cuts a message off at every place.
func TestDecodeCut(t *testing.T) {
	for _, c := range benchMessages() {
		b := Append(nil, &c.m)
		for i := range b {
			var m protocol.Message
			if n, err := Decode(&m, b[:i]); n != i || !errors.Is(err, ErrTruncated) {
				t.Fatalf("%s cut at %d: took %d bytes, error %v", c.name, i, n, err)
			}
		}
	}
}

func TestDecodeBoundsVersions(t *testing.T) {
	var m protocol.Message
	entry := []byte{14<<3 | wireBytes, 0}
	if _, err := Decode(&m, delimit(protocol.TopicRecord, bytes.Repeat(entry, VersionsMax))); err != nil {
		t.Errorf("%d versions: %v", VersionsMax, err)
	}
	if _, err := Decode(&m, delimit(protocol.TopicRecord, bytes.Repeat(entry, VersionsMax+1))); !errors.Is(err, ErrVersions) {
		t.Errorf("%d versions: error %v", VersionsMax+1, err)
	}
}

// TestViewsEndWithTheirValue appends to every slice of decoded messages: the input must not change.
func TestViewsEndWithTheirValue(t *testing.T) {
	for _, path := range vectorFiles(t) {
		for _, v := range readVectors(t, path) {
			b := v.wire(t)
			before := bytes.Clone(b)
			var m protocol.Message
			if _, err := Decode(&m, b); err != nil {
				t.Fatal(err)
			}
			views := [][]byte{
				m.Data, m.CorrelationID, m.Name, m.Subscription, m.Path, m.RequestorName, m.RequestorData,
				m.URL, m.ProtocolVersion, m.SDKVersion, m.SDKType,
			}
			it := m.Names.Iter()
			for it.Next() {
				views = append(views, it.Name())
			}
			for _, e := range m.Versions {
				views = append(views, e.Name)
			}
			for _, view := range views {
				if cap(view) != len(view) {
					t.Errorf("%s: a view of %d bytes has capacity %d", v.Name, len(view), cap(view))
				}
				_ = append(view, 0xff)
			}
			if !bytes.Equal(b, before) {
				t.Errorf("%s: appending to views changed the input", v.Name)
			}
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	for _, c := range benchMessages() {
		b := Append(nil, &c.m)
		var m protocol.Message
		if n := testing.AllocsPerRun(100, func() {
			if _, err := Decode(&m, b); err != nil {
				t.Fatal(err)
			}
			it := m.Names.Iter()
			for it.Next() {
				_ = it.Name()
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
	// The list of versions is kept for the next message.
	b := delimit(protocol.TopicRecord, bytes.Repeat([]byte{14<<3 | wireBytes, 0}, 100))
	var m protocol.Message
	if n := testing.AllocsPerRun(100, func() { _, _ = Decode(&m, b) }); n != 0 || len(m.Versions) != 100 {
		t.Errorf("%d versions: %v allocations", len(m.Versions), n)
	}
}

// TestEnvelopeShortcut holds that the shortcut for what official clients send is only that.
func TestEnvelopeShortcut(t *testing.T) {
	for _, path := range vectorFiles(t) {
		for _, v := range readVectors(t, path) {
			body, _ := protowire.ConsumeBytes(v.wire(t))
			topic, inner, ok := envelope(body)
			oddTopic, oddInner, oddOK := oddEnvelope(body)
			if topic != oddTopic || ok != oddOK || !bytes.Equal(inner, oddInner) || cap(inner) != cap(oddInner) {
				t.Errorf("%s: shortcut yields topic %v and %d bytes, else %v and %d", v.Name, topic, len(inner), oddTopic, len(oddInner))
			}
		}
	}
}
