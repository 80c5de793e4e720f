package pebble

import (
	"bytes"
	"testing"
	"time"

	"deepstream-fast/store"
)

// FuzzDecode feeds the decoders bytes: what they accept, the encoders make again.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 5})
	f.Add(appendHead(nil, store.Head{Version: 1<<31 - 1, State: store.StateLive}, time.Time{}))
	f.Add(appendHead(nil, store.Head{Version: 300, State: store.StateDeleted}, time.UnixMilli(1_700_000_000_000)))
	f.Add(append(appendDataHeader(nil, 128), `{"a":1}`...))
	f.Add(appendTombstoneKey(nil, time.UnixMilli(1), []byte("name")))
	f.Add([]byte{0, 0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, expiry, err := decodeHead(b); err == nil {
			if got := appendHead(nil, h, expiry); !bytes.Equal(got, b) {
				t.Fatalf("head % x decodes to %+v, %v, which is % x", b, h, expiry, got)
			}
		}
		if version, data, err := decodeData(b); err == nil {
			if got := append(appendDataHeader(nil, version), data...); !bytes.Equal(got, b) {
				t.Fatalf("data % x decodes to %d, % x, which is % x", b, version, data, got)
			}
		}
		if expiry, name, err := decodeTombstoneKey(b); err == nil {
			if got := appendTombstoneKey(nil, expiry, name); !bytes.Equal(got, b) {
				t.Fatalf("tombstone key % x decodes to %v, %q, which is % x", b, expiry, name, got)
			}
		}
	})
}

// FuzzKeys looks for names whose keys collide, get out of order or leave their space.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("a"), []byte("a\x00"))
	f.Add([]byte("\xff"), []byte("\xff\xff"))
	f.Add([]byte("user/1"), []byte("user/10"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, space := range []byte{spaceData, spaceVersion} {
			ka, kb := appendKey(nil, space, a), appendKey(nil, space, b)
			if bytes.Compare(ka, kb) != bytes.Compare(a, b) {
				t.Fatalf("%q and %q: keys % x, % x are in another order", a, b, ka, kb)
			}
			bounds := spaceBounds(space)
			if bytes.Compare(ka, bounds.LowerBound) < 0 || bytes.Compare(ka, bounds.UpperBound) >= 0 {
				t.Fatalf("key % x is out of its space", ka)
			}
		}
	})
}
