package ws

import (
	"encoding/binary"
	"fmt"
	"testing"

	gobwas "github.com/gobwas/ws"
)

// The frame is masked anew by each reading of it, so the payload alternates; the cost does not.
func BenchmarkNext(b *testing.B) {
	for _, size := range []int{24, 90, 250, 1024, 16384} {
		b.Run(fmt.Sprintf("payload=%dB", size), func(b *testing.B) {
			in := stream(clientFrame{op: Binary, payload: noise(size)})
			var r Reader
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if m, _, err := r.Next(in, &wide); err != nil || len(m.Payload) != size {
					b.Fatal(m, err)
				}
			}
		})
	}
}

// A message that arrives in reads of 64 KiB: assembly, growth and pools. Bytes are payload bytes.
func BenchmarkAssemble(b *testing.B) {
	for _, size := range []int{100 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("payload=%dKiB", size>>10), func(b *testing.B) {
			in := stream(clientFrame{op: Binary, payload: noise(size)})
			budget := NewBudget(8 << 20)
			lim := Limits{MessageBytesMax: 1 << 20, Budget: budget}
			var r Reader
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				for rest := in; len(rest) > 0; {
					n := min(len(rest), 64<<10)
					if _, _, err := r.Next(rest[:n], &lim); err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}

func BenchmarkUnmask(b *testing.B) {
	key := binary.LittleEndian.Uint32(testKey[:])
	loops := []struct {
		name   string
		unmask func(p []byte)
	}{
		{"words", func(p []byte) { unmaskShort(p, key) }},
		{"cipher", func(p []byte) { gobwas.Cipher(p, testKey, 0) }},
	}
	for _, size := range []int{24, 90, 128, 192, 256, 384, 512, 1024} {
		for _, l := range loops {
			b.Run(fmt.Sprintf("payload=%dB/impl=%s", size, l.name), func(b *testing.B) {
				p := noise(size)
				b.SetBytes(int64(size))
				for b.Loop() {
					l.unmask(p)
				}
			})
		}
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	payload := noise(128)
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		dst = AppendFrame(dst[:0], Binary, payload)
	}
}

func BenchmarkUpgrade(b *testing.B) {
	in := head(example...)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Upgrade(in, nil); err != nil {
			b.Fatal(err)
		}
	}
}
