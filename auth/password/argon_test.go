package password

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

// same fails unless the library computes the same key.
func same(t *testing.T, a argon, given, salt []byte, length int) {
	t.Helper()
	got := argonKey(a, given, salt, length)
	if want := argon2.IDKey(given, salt, a.time, a.memoryKiB, a.lanes, uint32(length)); !bytes.Equal(got, want) {
		t.Fatalf("%+v, password of %d, salt of %d, key of %d bytes:\n got %x\nwant %x", a, len(given), len(salt), length, got, want)
	}
}

func TestArgonAgainstTheLibrary(t *testing.T) {
	for lanes := uint8(1); lanes <= 5; lanes++ {
		for _, memory := range []uint32{8, 9, 11, 64, 100, 513} {
			for time := uint32(1); time <= 4; time++ {
				same(t, argon{memory * uint32(lanes), time, lanes}, []byte("password"), []byte("somesalt"), 32)
			}
		}
	}
	for _, length := range []int{8, 31, 32, 33, 63, 64} {
		same(t, argon{64, 2, 1}, []byte(strings.Repeat("long ", length)), bytes.Repeat([]byte{byte(length)}, length), length)
	}
	same(t, argon{argonMemoryKiB, argonTime, argonLanes}, nil, []byte("12345678"), argonKeyBytes)
}

// A memory that an earlier hash has left must not show in the next.
func TestArgonMemoryIsUsedAgain(t *testing.T) {
	for _, memory := range []uint32{256, 64, 200, 8} {
		same(t, argon{memory, 3, 1}, []byte("a"), []byte("somesalt"), 32)
	}
}

// FuzzArgon compares with the library, whatever the input.
func FuzzArgon(f *testing.F) {
	f.Add([]byte("password"), []byte("somesalt"), uint32(64), uint32(2), uint8(1), uint8(32))
	f.Add([]byte{}, []byte("saltsaltsalt"), uint32(33), uint32(3), uint8(3), uint8(64))
	f.Fuzz(func(t *testing.T, given, salt []byte, memory, time uint32, lanes, length uint8) {
		a := argon{time: time%4 + 1, lanes: lanes%argonLanesMax + 1}
		a.memoryKiB = max(8*uint32(a.lanes), memory%512)
		same(t, a, given, salt, max(argonBytesMin, int(length%argonBytesMax)))
	})
}

// BenchmarkArgon compares what a login costs with what it would cost in the library.
func BenchmarkArgon(b *testing.B) {
	given, salt := []byte("password"), []byte("0123456789abcdef")
	b.Run("impl=ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			argonKey(argon{argonMemoryKiB, argonTime, argonLanes}, given, salt, argonKeyBytes)
		}
	})
	b.Run("impl=library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			argon2.IDKey(given, salt, argonTime, argonMemoryKiB, argonLanes, argonKeyBytes)
		}
	})
}
