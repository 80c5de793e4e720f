package password

import (
	"encoding"
	"hash"
)

// How much is computed between two calls of yield: some 50 µs. They cost a few hundredths of a hash, see
// BenchmarkDerive.
const (
	yieldBlocks = 64  // of Argon2id
	yieldSums   = 128 // of a digest
)

// polite is a digest that yields.
type polite struct {
	hash.Hash
	left int // sums until then
}

func (p *polite) Sum(b []byte) []byte {
	if p.left--; p.left < 0 {
		p.left = yieldSums
		yield()
	}
	return p.Hash.Sum(b)
}

// restorable is a digest whose state can be kept, which makes HMAC twice as fast.
type restorable interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

type politeRestorable struct {
	polite
	restorable
}

// politely returns digests like those of of that yield.
func politely(of func() hash.Hash) func() hash.Hash {
	return func() hash.Hash {
		h := of()
		if r, ok := h.(restorable); ok {
			return &politeRestorable{polite{Hash: h}, r}
		}
		return &polite{Hash: h}
	}
}
