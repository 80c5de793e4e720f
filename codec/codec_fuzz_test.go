package codec

import (
	"testing"

	"deepstream-fast/protocol"
)

// FuzzDecode compares Decode with google.golang.org/protobuf, which has to accept the same inputs
// and read the same fields from them, and Decode with Append. It always goes on behind a bad message
// like a reader of a frame would.
func FuzzDecode(f *testing.F) {
	for _, path := range vectorFiles(f) {
		for _, v := range readVectors(f, path) {
			if b := v.wire(f); len(b) < 1000 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m protocol.Message
		for len(b) > 0 {
			n, err := Decode(&m, b)
			if n < 1 || n > len(b) {
				t.Fatalf("Decode took %d of %d bytes: %x", n, len(b), b)
			}
			checkDecoded(t, &m, b, err)
			b = b[n:]
		}
	})
}

func checkDecoded(t *testing.T, m *protocol.Message, b []byte, err error) {
	t.Helper()
	want, ok := oracleDecode(b)
	if ok != (err == nil) {
		t.Fatalf("oracle accepts: %v, Decode: %v, input %x", ok, err, b)
	}
	if IsBulk(b) != IsBulk(b[:min(len(b), PrefixBytes)]) {
		t.Errorf("IsBulk depends on more than %d bytes of %x", PrefixBytes, b)
	}
	if !ok {
		return
	}
	requireEqual(t, "against the oracle", m, want)
	enc := Append(nil, m)
	if len(enc) != Size(m) {
		t.Errorf("Append wrote %d bytes, Size %d: %v", len(enc), Size(m), m)
	}
	var again protocol.Message
	n, err := Decode(&again, enc)
	if n != len(enc) || err != nil {
		t.Fatalf("Decode of what Append wrote: %d of %d bytes, %v: %x", n, len(enc), err, enc)
	}
	requireEqual(t, "after Append", &again, m)
	if IsBulk(enc) != Bulk(m.Topic, m.Action) {
		t.Errorf("IsBulk %v, Bulk %v: %v", IsBulk(enc), Bulk(m.Topic, m.Action), m)
	}
}
