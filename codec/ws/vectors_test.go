package ws

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// A clientFrame is a frame as a client may send it, the forbidden ones included.
type clientFrame struct {
	op       Opcode
	more     bool // FIN is not set
	rsv      byte
	unmasked bool
	payload  []byte
}

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d} // RFC 6455 §5.7

func (f clientFrame) append(dst []byte) []byte {
	at := len(dst)
	if f.unmasked {
		dst = AppendFrame(dst, f.op, f.payload)
	} else {
		dst = AppendMasked(dst, f.op, testKey, f.payload)
	}
	dst[at] |= f.rsv
	if f.more {
		dst[at] &^= bitFin
	}
	return dst
}

func stream(frames ...clientFrame) []byte {
	var b []byte
	for _, f := range frames {
		b = f.append(b)
	}
	return b
}

// declare returns the header of a masked frame that declares size bytes.
func declare(op Opcode, size uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{bitFin | byte(op), bitMask | sizeIn64}, size)
	return append(b, testKey[:]...)
}

// A step is one message that a reader yielded, copied.
type step struct {
	kind    Kind
	code    CloseCode
	payload string
}

// outcome is all that a stream led to.
type outcome struct {
	steps []step
	err   error
	used  int // bytes consumed with the last step; meaningless behind an error
}

func (o outcome) equal(p outcome) bool {
	return slices.Equal(o.steps, p.steps) && o.err == p.err && (o.err != nil || o.used == p.used)
}

// read feeds b to r in chunks of the sizes that cut returns, as a loop does: from scratch memory
// that is overwritten afterwards. It stops behind a close frame.
func read(r *Reader, b []byte, lim *Limits, cut func(rest int) int) (o outcome) {
	for len(b) > 0 {
		n := min(cut(len(b)), len(b))
		chunk := slices.Clone(b[:n])
		b = b[n:]
		for rest := chunk; ; {
			m, n, err := r.Next(rest, lim)
			o.used += n
			if err != nil {
				o.err = err
				return o
			}
			if m.Kind == None {
				break
			}
			o.steps = append(o.steps, step{m.Kind, m.Code, string(m.Payload)})
			if m.Kind == Close {
				return o
			}
			rest = rest[n:]
		}
		for i := range chunk {
			chunk[i] = 0xDB
		}
	}
	return o
}

func whole(rest int) int { return rest }
func bytewise(int) int   { return 1 }

func chunksOf(n int) func(int) int { return func(int) int { return n } }

func randomChunks(seed uint64, most int) func(int) int {
	rng := rand.New(rand.NewPCG(seed, 1))
	return func(int) int { return 1 + rng.IntN(most) }
}

// noise returns n bytes that are not the same twice in a row, so that a shifted key shows.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

var wide = Limits{MessageBytesMax: 1 << 20}
