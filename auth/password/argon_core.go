package password

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"golang.org/x/crypto/blake2b"
)

// Argon2id version 1.3 as in RFC 9106, all lanes one after the other on the calling goroutine. The library
// of golang.org/x/crypto computes in goroutines of its own, which run on any thread: they can't be given
// the low priority of the worker that asked for them, and made event loops wait (ADR 0010). It is what
// this is compared with, in TestArgonAgainstTheLibrary and FuzzArgon.

const (
	blockWords = 128 // of 64 bits: 1 KiB
	sliceCount = 4   // synchronisation points of a pass
	typeID     = 2   // Argon2id
)

type block [blockWords]uint64

// memories are what earlier hashes have left: a login must not cost 19 MiB of garbage. The collector
// takes them when nobody logs in.
var memories sync.Pool

// argonRun is one hash being computed.
type argonRun struct {
	argon
	memory  []block // lane after lane
	lane    int     // blocks of a lane
	segment int     // blocks of a slice of a lane
}

// argonKey returns the tag of RFC 9106 §3.2, without a secret and associated data. Its parameters must be
// in bounds.
func argonKey(a argon, given, salt []byte, length int) []byte {
	r := &argonRun{argon: a}
	r.segment = int(a.memoryKiB) / (sliceCount * int(a.lanes))
	r.lane = sliceCount * r.segment
	r.memory = takeMemory(r.lane * int(a.lanes))
	r.begin(given, salt, length)
	for pass := range int(a.time) {
		for slice := range sliceCount {
			for lane := range int(a.lanes) {
				r.fill(pass, slice, lane)
			}
		}
	}
	key := r.end(length)
	memories.Put(&r.memory)
	return key
}

func takeMemory(blocks int) []block {
	if m, ok := memories.Get().(*[]block); ok && cap(*m) >= blocks {
		return (*m)[:blocks]
	}
	return make([]block, blocks)
}

// begin fills the first two blocks of each lane: steps 1 to 4.
func (r *argonRun) begin(given, salt []byte, length int) {
	var h0 [blake2b.Size + 8]byte
	input := binary.LittleEndian.AppendUint32(nil, uint32(r.lanes))
	for _, v := range []uint32{uint32(length), r.memoryKiB, r.time, 0x13, typeID} {
		input = binary.LittleEndian.AppendUint32(input, v)
	}
	for _, text := range [][]byte{given, salt, nil, nil} {
		input = append(binary.LittleEndian.AppendUint32(input, uint32(len(text))), text...)
	}
	first := blake2b.Sum512(input)
	copy(h0[:], first[:])
	for lane := range int(r.lanes) {
		binary.LittleEndian.PutUint32(h0[blake2b.Size+4:], uint32(lane))
		for i := range 2 {
			binary.LittleEndian.PutUint32(h0[blake2b.Size:], uint32(i))
			bytes := stretch(h0[:], blockWords*8)
			for w := range blockWords {
				r.memory[lane*r.lane+i][w] = binary.LittleEndian.Uint64(bytes[8*w:])
			}
		}
	}
}

// stretch is H' of §3.3.
func stretch(input []byte, length int) []byte {
	in := append(binary.LittleEndian.AppendUint32(nil, uint32(length)), input...)
	if length <= blake2b.Size {
		return hashOf(in, length)
	}
	out := make([]byte, 0, length)
	v := hashOf(in, blake2b.Size)
	for length-len(out) > blake2b.Size {
		out = append(out, v[:blake2b.Size/2]...)
		v = hashOf(v, min(blake2b.Size, length-len(out)))
	}
	return append(out, v...)
}

func hashOf(input []byte, length int) []byte {
	h, err := blake2b.New(length, nil)
	if err != nil { // length is 1 to 64
		return nil
	}
	h.Write(input)
	return h.Sum(nil)
}

// fill computes one segment: steps 5 and 6.
func (r *argonRun) fill(pass, slice, lane int) {
	independent := pass == 0 && slice < sliceCount/2 // of the password: where the block to mix in comes from
	var seed, addresses, zero block
	if independent {
		seed = block{uint64(pass), uint64(lane), uint64(slice), uint64(len(r.memory)), uint64(r.time), typeID}
	}
	start := 0
	if pass == 0 && slice == 0 {
		start = 2
	}
	for i := start; i < r.segment; i++ {
		if i%yieldBlocks == 0 {
			yield()
		}
		at := slice*r.segment + i
		before := at - 1
		if at == 0 {
			before = r.lane - 1
		}
		previous := &r.memory[lane*r.lane+before]
		random := previous[0]
		if independent {
			if i == start || i%blockWords == 0 {
				seed[6]++
				mix(&addresses, &zero, &seed, false)
				once := addresses
				mix(&addresses, &zero, &once, false)
			}
			random = addresses[i%blockWords]
		}
		mix(&r.memory[lane*r.lane+at], previous, &r.memory[r.reference(pass, slice, lane, i, random)], pass > 0)
	}
}

// reference returns the block that is mixed into the i-th of a segment: §3.4.
func (r *argonRun) reference(pass, slice, lane, i int, random uint64) int {
	from := int(random>>32) % int(r.lanes)
	if pass == 0 && slice == 0 {
		from = lane
	}
	start, area := 0, slice*r.segment
	if pass > 0 {
		start, area = (slice+1)%sliceCount*r.segment, r.lane-r.segment
	}
	switch {
	case from == lane:
		area += i - 1
	case i == 0:
		area--
	}
	x := uint64(uint32(random))
	x = x * x >> 32
	back := uint64(area) * x >> 32
	return from*r.lane + (start+area-1-int(back))%r.lane
}

// end combines the last blocks of all lanes: step 7.
func (r *argonRun) end(length int) []byte {
	var last block
	for lane := range int(r.lanes) {
		for w, v := range r.memory[(lane+1)*r.lane-1] {
			last[w] ^= v
		}
	}
	bytes := make([]byte, 0, blockWords*8)
	for _, w := range last {
		bytes = binary.LittleEndian.AppendUint64(bytes, w)
	}
	return stretch(bytes, length)
}

// mix is the compression function G of §3.5. Its result replaces dst, or is xored into it.
func mix(dst, x, y *block, xor bool) {
	var z block
	for i := range z {
		z[i] = x[i] ^ y[i]
	}
	if xor {
		for i := range z {
			dst[i] ^= z[i]
		}
	} else {
		*dst = z
	}
	for i := 0; i < blockWords; i += 16 {
		permute(&z[i], &z[i+1], &z[i+2], &z[i+3], &z[i+4], &z[i+5], &z[i+6], &z[i+7],
			&z[i+8], &z[i+9], &z[i+10], &z[i+11], &z[i+12], &z[i+13], &z[i+14], &z[i+15])
	}
	for i := 0; i < 16; i += 2 {
		permute(&z[i], &z[i+1], &z[16+i], &z[16+i+1], &z[32+i], &z[32+i+1], &z[48+i], &z[48+i+1],
			&z[64+i], &z[64+i+1], &z[80+i], &z[80+i+1], &z[96+i], &z[96+i+1], &z[112+i], &z[112+i+1])
	}
	for i := range z {
		dst[i] ^= z[i]
	}
}

// permute is P of §3.6 on sixteen words.
func permute(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15 *uint64) {
	v0, v1, v2, v3, v4, v5, v6, v7 := *p0, *p1, *p2, *p3, *p4, *p5, *p6, *p7
	v8, v9, v10, v11, v12, v13, v14, v15 := *p8, *p9, *p10, *p11, *p12, *p13, *p14, *p15
	v0, v4, v8, v12 = half(v0, v4, v8, v12, -32, -24)
	v0, v4, v8, v12 = half(v0, v4, v8, v12, -16, -63)
	v1, v5, v9, v13 = half(v1, v5, v9, v13, -32, -24)
	v1, v5, v9, v13 = half(v1, v5, v9, v13, -16, -63)
	v2, v6, v10, v14 = half(v2, v6, v10, v14, -32, -24)
	v2, v6, v10, v14 = half(v2, v6, v10, v14, -16, -63)
	v3, v7, v11, v15 = half(v3, v7, v11, v15, -32, -24)
	v3, v7, v11, v15 = half(v3, v7, v11, v15, -16, -63)
	v0, v5, v10, v15 = half(v0, v5, v10, v15, -32, -24)
	v0, v5, v10, v15 = half(v0, v5, v10, v15, -16, -63)
	v1, v6, v11, v12 = half(v1, v6, v11, v12, -32, -24)
	v1, v6, v11, v12 = half(v1, v6, v11, v12, -16, -63)
	v2, v7, v8, v13 = half(v2, v7, v8, v13, -32, -24)
	v2, v7, v8, v13 = half(v2, v7, v8, v13, -16, -63)
	v3, v4, v9, v14 = half(v3, v4, v9, v14, -32, -24)
	v3, v4, v9, v14 = half(v3, v4, v9, v14, -16, -63)
	*p0, *p1, *p2, *p3, *p4, *p5, *p6, *p7 = v0, v1, v2, v3, v4, v5, v6, v7
	*p8, *p9, *p10, *p11, *p12, *p13, *p14, *p15 = v8, v9, v10, v11, v12, v13, v14, v15
}

// half is one half of GB of §3.6, which rotates by r and s: small enough for the compiler to inline it.
func half(a, b, c, d uint64, r, s int) (uint64, uint64, uint64, uint64) {
	a += b + 2*uint64(uint32(a))*uint64(uint32(b))
	d = bits.RotateLeft64(d^a, r)
	c += d + 2*uint64(uint32(c))*uint64(uint32(d))
	b = bits.RotateLeft64(b^c, s)
	return a, b, c, d
}
