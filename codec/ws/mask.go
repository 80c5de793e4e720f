package ws

import (
	"encoding/binary"
	"math/bits"

	gobwas "github.com/gobwas/ws"
)

// cipherBytesMin is where gobwas.Cipher with its vector loop overtakes the loop below; see
// BenchmarkUnmask.
const cipherBytesMin = 256

// unmask applies key to p in place; the first byte of p meets the lowest byte of key. Masking and
// unmasking are the same. RFC 6455 §5.3.
// Hot path: 0 allocs, see BenchmarkUnmask.
func unmask(p []byte, key uint32) {
	if len(p) >= cipherBytesMin {
		var k [keyBytes]byte
		binary.LittleEndian.PutUint32(k[:], key)
		gobwas.Cipher(p, k, 0)
		return
	}
	unmaskShort(p, key)
}

func unmaskShort(p []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(p) >= 32 {
		q := (*[32]byte)(p) // one bounds check for four words
		xor8(q[0:8], wide)
		xor8(q[8:16], wide)
		xor8(q[16:24], wide)
		xor8(q[24:32], wide)
		p = p[32:]
	}
	for len(p) >= 8 {
		xor8(p, wide)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^key)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key >>= 8
	}
}

func xor8(p []byte, wide uint64) {
	binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
}

// rotate returns key as it applies to the byte n positions further on.
func rotate(key uint32, n int) uint32 {
	return bits.RotateLeft32(key, -8*(n&3))
}
