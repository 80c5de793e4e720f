package codec

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/protocol"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/encoded.txt anew")

// TestVectorsOfTheOfficialEncoder holds both directions against the official implementation: every vector decodes to
// the message it was made of, and encodes to the same bytes where Message can say it all.
func TestVectorsOfTheOfficialEncoder(t *testing.T) {
	for _, path := range vectorFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			for _, v := range readVectors(t, path) {
				checkVector(t, v)
			}
		})
	}
}

func checkVector(t *testing.T, v vector) {
	t.Helper()
	b, want := v.wire(t), v.Message.message()
	var got protocol.Message
	if n, err := Decode(&got, b); err != nil || n != len(b) {
		t.Errorf("%s: Decode took %d of %d bytes, error %v", v.Name, n, len(b), err)
		return
	}
	requireEqual(t, v.Name, &got, want)
	if !v.Message.plain() {
		return
	}
	for _, m := range []*protocol.Message{want, &got} {
		if enc := Append(nil, m); !bytes.Equal(enc, b) || Size(m) != len(b) {
			t.Errorf("%s: Append: %d bytes, Size %d\n got %.200x\nwant %.200x", v.Name, len(enc), Size(m), enc, b)
		}
	}
}

// encodedCases are messages as the server sends them, and corners of the encoder. What the official
// decoder reads from them is recorded in testdata/vectors/encoded.json.
func encodedCases() []protocol.Message {
	b := func(s string) []byte { return []byte(s) }
	names := func(list ...string) protocol.Names {
		var out [][]byte
		for _, s := range list {
			out = append(out, b(s))
		}
		return protocol.ListNames(out)
	}
	return []protocol.Message{
		{Topic: protocol.TopicConnection, Action: protocol.ConnectionAccept},
		{Topic: protocol.TopicConnection, Action: protocol.ConnectionPong},
		{Topic: protocol.TopicConnection, Action: protocol.ConnectionRedirect, URL: b("wss://other.example/deepstream")},
		{Topic: protocol.TopicAuth, Action: protocol.AuthSuccessful, Data: b("null")},
		{Topic: protocol.TopicAuth, Action: protocol.AuthUnsuccessful},
		{Topic: protocol.TopicAuth, Action: protocol.AuthTooManyAuthAttempts, IsError: true},
		{Topic: protocol.TopicParser, Action: protocol.ParserUnknownTopic},
		{
			Topic: protocol.TopicParser, Action: protocol.ParserUnknownAction,
			OriginalTopic: protocol.TopicRecord, OriginalAction: protocol.RecordHeadBulk,
		},
		{Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: b("0"), IsAck: true},
		{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: b("käse/日本/😀"), Data: b(`{"a":[1,2]}`)},
		{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: b("big"), Data: bytes.Repeat(b("7"), 20_000)},
		{
			Topic: protocol.TopicEvent, Action: protocol.EventSubscriptionForPatternFound,
			Name: b("^a"), Subscription: b("ab"),
		},
		{
			Topic: protocol.TopicEvent, Action: protocol.EventMessageDenied, Name: b("a"), IsError: true,
			OriginalAction: protocol.EventSubscribe, CorrelationID: b("1"),
		},
		{Topic: protocol.TopicRecord, Action: protocol.RecordReadResponse, Name: b("r"), HasVersion: true, Data: b("{}")},
		{
			Topic: protocol.TopicRecord, Action: protocol.RecordHeadResponse, Name: b("r"),
			HasVersion: true, Version: protocol.AnyVersion,
		},
		{Topic: protocol.TopicRecord, Action: protocol.RecordHeadResponseBulk, Versions: []protocol.NameVersion{
			{Name: b("a"), Version: -1}, {Name: b("b"), Version: math.MaxInt32}, {Name: b(""), Version: 0},
		}},
		{Topic: protocol.TopicRecord, Action: protocol.RecordHeadResponseBulk},
		{
			Topic: protocol.TopicRecord, Action: protocol.RecordPatch, Name: b("r"), Path: b("a.b"), Data: b("1"),
			HasVersion: true, Version: math.MinInt32,
		},
		{
			Topic: protocol.TopicRecord, Action: protocol.RecordVersionExists, Name: b("r"), Data: b("{}"), IsError: true,
			HasVersion: true, Version: 300, OriginalAction: protocol.RecordUpdate, CorrelationID: b("2"), IsWriteAck: true,
		},
		{Topic: protocol.TopicRecord, Action: protocol.RecordNotify, Names: names("a", "", "b"), CorrelationID: b("3"), IsAck: true},
		{
			Topic: protocol.TopicRPC, Action: protocol.RPCRequest, Name: b("add"), CorrelationID: b("c"), Data: b("[1]"),
			RequestorName: b("ann"), RequestorData: b(`{"id":1}`),
		},
		{Topic: protocol.TopicRPC, Action: protocol.RPCProvide, Names: names("add", "sub"), CorrelationID: b("4")},
		{
			Topic: protocol.TopicRPC, Action: protocol.RPCInvalidRPCCorrelationID, Name: b("add"), CorrelationID: b("c"),
			OriginalAction: protocol.RPCResponse, IsError: true,
		},
		{Topic: protocol.TopicPresence, Action: protocol.PresenceQueryAllResponse, Names: names("ann", "bob")},
		{Topic: protocol.TopicPresence, Action: protocol.PresenceQueryAllResponse, Names: names()},
		{Topic: protocol.TopicPresence, Action: protocol.PresenceJoin, Name: b("ann")},
		{
			Topic: protocol.TopicPresence, Action: protocol.PresenceMultipleSubscriptions, Name: b("ann"),
			OriginalTopic: protocol.TopicPresence, OriginalAction: protocol.PresenceSubscribe, CorrelationID: b("5"),
		},
		{Topic: protocol.TopicMonitoring, Action: protocol.MonitoringUnknown, Data: b("{}"), CorrelationID: b("6")},
		{Topic: protocol.TopicCluster, Action: protocol.ClusterStatus, Data: b("{}"), IsAck: true},
		{Topic: protocol.TopicLock, Action: protocol.LockRelease},
	}
}

// TestEncodedLines keeps testdata/encoded.txt, the input of testdata/verify.mjs, what Append writes.
func TestEncodedLines(t *testing.T) {
	var want bytes.Buffer
	for i, m := range encodedCases() {
		fmt.Fprintf(&want, "%d %s %s\t%x\n", i, m.Topic, m.Action.Name(m.Topic), Append(nil, &m))
	}
	const path = "testdata/encoded.txt"
	if *rewrite {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what Append writes: run the vectors script of testdata/package.json", path)
	}
}

// TestOfficialDecoderReadsOurBytes compares what the official decoder read with what we wrote.
func TestOfficialDecoderReadsOurBytes(t *testing.T) {
	cases, vectors := encodedCases(), readVectors(t, "testdata/vectors/encoded.json")
	if len(cases) != len(vectors) {
		t.Fatalf("%d vectors for %d messages", len(vectors), len(cases))
	}
	for i, v := range vectors {
		requireEqual(t, v.Name, v.Message.message(), &cases[i])
		if v.Message.Action == nil {
			t.Errorf("%s: no action on the wire", v.Name)
		}
		if got := hex.EncodeToString(Append(nil, &cases[i])); got != v.Hex {
			t.Errorf("%s: the vector was recorded from other bytes", v.Name)
		}
	}
}
