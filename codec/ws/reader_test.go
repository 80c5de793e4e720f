package ws

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unsafe"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// The frames of RFC 6455 §5.7 that a client may send, and their fragmented twin.
func TestReaderRFCExamples(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want []step
	}{
		{"masked text", []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}, []step{{kind: Text, payload: "Hello"}}},
		{"fragmented text", stream(clientFrame{op: Text, more: true, payload: []byte("Hel")}, clientFrame{op: Continuation, payload: []byte("lo")}), []step{{kind: Text, payload: "Hello"}}},
		{"masked pong", []byte{0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}, []step{{kind: Pong, payload: "Hello"}}},
		{"256 bytes", stream(clientFrame{op: Binary, payload: noise(256)}), []step{{kind: Binary, payload: string(noise(256))}}},
		{"64 KiB", stream(clientFrame{op: Binary, payload: noise(65536)}), []step{{kind: Binary, payload: string(noise(65536))}}},
		{"close", stream(clientFrame{op: Close, payload: []byte("\x03\xe8bye")}), []step{{Close, CloseNormal, "bye"}}},
		{"close without a code", stream(clientFrame{op: Close}), []step{{kind: Close, code: CloseNoStatus}}},
		{"nothing behind a close", stream(clientFrame{op: Close}, clientFrame{op: Ping}), []step{{kind: Close, code: CloseNoStatus}}},
		{"character over two fragments", stream(clientFrame{op: Text, more: true, payload: []byte("\xe2\x82")}, clientFrame{op: Continuation, payload: []byte("\xac")}), []step{{kind: Text, payload: "€"}}},
		{"empty fragments", stream(clientFrame{op: Text, more: true}, clientFrame{op: Continuation, more: true}, clientFrame{op: Continuation}), []step{{kind: Text}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, cut := range map[string]func(int) int{"whole": whole, "bytewise": bytewise} {
				var r Reader
				got := read(&r, tt.in, &wide, cut)
				if !(outcome{steps: got.steps}).equal(outcome{steps: tt.want}) || got.err != nil {
					t.Errorf("%s: %.200v", name, got)
				}
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	small := &Limits{MessageBytesMax: 1000}
	ok := []byte("x")
	part := clientFrame{op: Binary, more: true, payload: make([]byte, 600)}
	tests := []struct {
		name string
		in   []byte
		lim  *Limits
		want error
	}{
		{"RSV1", stream(clientFrame{op: Text, rsv: 0x40, payload: ok}), small, errReservedBits},
		{"RSV2", stream(clientFrame{op: Text, rsv: 0x20, payload: ok}), small, errReservedBits},
		{"RSV3 in a control frame", stream(clientFrame{op: Ping, rsv: 0x10}), small, errReservedBits},
		{"reserved data opcode", stream(clientFrame{op: 3}), small, errOpcode},
		{"reserved data opcode 7", stream(clientFrame{op: 7}), small, errOpcode},
		{"reserved control opcode", stream(clientFrame{op: 0xB}), small, errOpcode},
		{"reserved control opcode F", stream(clientFrame{op: 0xF}), small, errOpcode},
		{"unmasked", stream(clientFrame{op: Binary, unmasked: true, payload: ok}), small, errUnmasked},
		{"unmasked close", stream(clientFrame{op: Close, unmasked: true}), small, errUnmasked},
		{"fragmented ping", stream(clientFrame{op: Ping, more: true}), small, errControl},
		{"ping of 126 bytes", stream(clientFrame{op: Ping, payload: make([]byte, 126)}), small, errControl},
		{"close with a 64-bit size", declare(Close, 1<<20), small, errControl},
		{"16-bit size that fits in 7", []byte{0x82, 0xFE, 0, 125, 1, 2, 3, 4}, small, errSize},
		{"64-bit size that fits in 16", declare(Binary, 65535), small, errSize},
		{"most significant bit", declare(Binary, 1<<63), small, errSize},
		{"continuation first", stream(clientFrame{op: Continuation, payload: ok}), small, errNotStarted},
		{"continuation after a message", stream(clientFrame{op: Text, payload: ok}, clientFrame{op: Continuation}), small, errNotStarted},
		{"continuation after fragments", stream(part, clientFrame{op: Continuation}, clientFrame{op: Continuation}), small, errNotStarted},
		{"text inside a message", stream(part, clientFrame{op: Text}), small, errNotFinished},
		{"binary inside a message, behind a ping", stream(part, clientFrame{op: Ping}, clientFrame{op: Binary, payload: ok}), small, errNotFinished},
		{"declared size", declare(Binary, 1<<16), small, errTooBig},
		{"largest declared size", declare(Binary, 1<<63-1), small, errTooBig},
		{"sum of the fragments", stream(part, clientFrame{op: Continuation, payload: make([]byte, 401)})[:640], small, errTooBig},
		{"sum that would overflow", append(stream(part), declare(Continuation, 1<<63-1)...), small, errTooBig},
		{"text that is not UTF-8", stream(clientFrame{op: Text, payload: []byte("a\xc0\xafb")}), small, errUTF8},
		{"text that ends in a character", stream(clientFrame{op: Text, more: true, payload: []byte("\xe2")}, clientFrame{op: Continuation, payload: []byte("\x82")}), small, errUTF8},
		{"close with half a code", stream(clientFrame{op: Close, payload: []byte{3}}), small, errCloseFrame},
		{"close with a bad code", stream(clientFrame{op: Close, payload: []byte{3, 0xEE}}), small, errCloseFrame},
		{"close with a bad reason", stream(clientFrame{op: Close, payload: []byte("\x03\xe8\xff")}), small, errUTF8},
		{"kind not spoken here", stream(clientFrame{op: Text, more: true, payload: ok}), &Limits{MessageBytesMax: 9, Refuse: Text}, errKind},
		{"budget", declare(Binary, 1<<16), &Limits{MessageBytesMax: 1 << 17, Budget: NewBudget(10)}, errBudget},
		{"budget of the data", append(declare(Binary, 1<<16), noise(5000)...), &Limits{MessageBytesMax: 1 << 17, Budget: NewBudget(4000)}, errBudget},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, cut := range map[string]func(int) int{"whole": whole, "bytewise": bytewise, "random": randomChunks(1, 20)} {
				var r Reader
				if got := read(&r, tt.in, tt.lim, cut); got.err != tt.want {
					t.Errorf("%s: error %v, want %v", name, got.err, tt.want)
				}
				if r.Buffered() != 0 || r.Partial() || tt.lim.Budget.Used() != 0 {
					t.Errorf("%s: %d bytes held after the error, %d in the budget", name, r.Buffered(), tt.lim.Budget.Used())
				}
			}
		})
	}
}

func TestCloseCodes(t *testing.T) {
	valid := func(c int) bool {
		return c >= 1000 && c <= 1014 && c != 1004 && c != 1005 && c != 1006 || c >= 3000 && c <= 4999
	}
	for c := range 1 << 16 {
		var r Reader
		in := stream(clientFrame{op: Close, payload: []byte{byte(c >> 8), byte(c)}})
		m, _, err := r.Next(in, &wide)
		if valid(c) && (err != nil || m.Code != CloseCode(c)) || !valid(c) && err != errCloseFrame {
			t.Fatalf("code %d: %v, %v", c, m, err)
		}
	}
}

// oracle reads the same stream with another implementation, one frame at a time.
func oracle(t *testing.T, in []byte) (o outcome) {
	t.Helper()
	rd := wsutil.Reader{
		Source: bytes.NewReader(in), State: gobwas.StateServerSide, CheckUTF8: true,
		OnIntermediate: func(h gobwas.Header, r io.Reader) error {
			p, err := io.ReadAll(r)
			o.steps = append(o.steps, step{kind: Kind(h.OpCode), payload: string(p)})
			return err
		},
	}
	for {
		h, err := rd.NextFrame()
		if err == io.EOF {
			return o
		}
		if err != nil {
			o.err = err
			return o
		}
		p, err := io.ReadAll(&rd)
		if err != nil {
			o.err = err
			return o
		}
		o.steps = append(o.steps, step{kind: Kind(h.OpCode), payload: string(p)})
	}
}

// fragments cuts payload into n frames, with control frames between and around them.
func fragments(op Opcode, payload []byte, n int, control []clientFrame) []byte {
	var frames []clientFrame
	for i := range n {
		frames = append(frames, control...)
		size := len(payload) / (n - i)
		f := clientFrame{op: Continuation, more: i < n-1, payload: payload[:size]}
		if i == 0 {
			f.op = op
		}
		frames, payload = append(frames, f), payload[size:]
	}
	return stream(append(frames, control...)...)
}

// Fragments × control frames × sizes × chops: always the same messages, and those of the oracle.
func TestReaderMatrix(t *testing.T) {
	controls := map[string][]clientFrame{
		"none":       nil,
		"empty ping": {{op: Ping}},
		"ping, pong": {{op: Ping, payload: noise(ControlBytesMax)}, {op: Pong, payload: []byte("pong")}},
	}
	for _, op := range []Opcode{Text, Binary} {
		for _, size := range []int{0, 1, 125, 126, 127, 1000, 65535, 65536, 65537, 200_000} {
			for _, parts := range []int{1, 2, 3, 9} {
				for name, control := range controls {
					t.Run(fmt.Sprintf("%v/size=%d/frames=%d/control=%s", op, size, parts, name), func(t *testing.T) {
						payload := noise(size)
						if op == Text {
							payload = []byte(strings.Repeat("aé€😀", size/10+1)[:size/10*10] + strings.Repeat("z", size%10))
						}
						in := append(fragments(op, payload, parts, control), fragments(Binary, []byte("after"), 1, control)...)
						checkChops(t, in, size > 1000)
					})
				}
			}
		}
	}
}

func checkChops(t *testing.T, in []byte, big bool) {
	t.Helper()
	want := oracle(t, in)
	want.used = len(in)
	cuts := map[string]func(int) int{"whole": whole, "64KiB": chunksOf(64 << 10), "random": randomChunks(7, 4096)}
	if big {
		cuts["1023"] = chunksOf(1023)
	} else {
		for n := 1; n <= 40; n++ {
			cuts[fmt.Sprint(n)] = chunksOf(n)
		}
		cuts["small random"] = randomChunks(8, 9)
	}
	if len(in) > 65000 && len(in) < 66000 {
		cuts["bytewise"] = bytewise
	}
	for name, cut := range cuts {
		var r Reader
		lim := wide
		lim.Budget = NewBudget(1 << 20)
		if got := read(&r, in, &lim, cut); !got.equal(want) {
			t.Errorf("chunks %s: %d steps, %d bytes, %v; want %d steps, %d bytes, %v", name, len(got.steps), got.used, got.err, len(want.steps), want.used, want.err)
		}
		if r.asm != nil || lim.Budget.Used() != 0 {
			t.Errorf("chunks %s: an idle reader holds %d bytes, %d in the budget", name, r.Buffered(), lim.Budget.Used())
		}
	}
}

func TestReaderBulk(t *testing.T) {
	const normal, most = 100, 5000
	bulk := append([]byte("BULK"), noise(most-4)...)
	other := append([]byte("NORM"), noise(most-4)...)
	tests := []struct {
		name string
		in   []byte
		want error
		asks int
	}{
		{"accepted", stream(clientFrame{op: Binary, payload: bulk}), nil, 1},
		{"accepted once for all fragments", fragments(Binary, bulk, 9, []clientFrame{{op: Ping}}), nil, 1},
		{"accepted when the sum exceeds", fragments(Binary, bulk[:101], 3, nil), nil, 1},
		{"not asked up to the limit", stream(clientFrame{op: Binary, payload: other[:normal]}), nil, 0},
		{"refused", stream(clientFrame{op: Binary, payload: other}), errTooBig, 1},
		{"refused in a late fragment", fragments(Binary, other[:150], 2, nil), errTooBig, 1},
		{"text is never bulk", stream(clientFrame{op: Text, payload: bulk[:101]}), errTooBig, 0},
		{"over the bulk limit", declare(Binary, 1<<16), errTooBig, 0},
		{"fragments over the bulk limit", stream(clientFrame{op: Binary, more: true, payload: bulk}, clientFrame{op: Continuation, payload: bulk}), errTooBig, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, cut := range map[string]func(int) int{"whole": whole, "bytewise": bytewise, "random": randomChunks(3, 50)} {
				var r Reader
				asks := 0
				lim := Limits{MessageBytesMax: normal, BulkBytesMax: most, Budget: NewBudget(1 << 16), Bulk: func(p []byte) bool {
					if asks++; len(p) != BulkPrefixBytes {
						t.Errorf("asked with %d bytes", len(p))
					}
					return bytes.HasPrefix(p, []byte("BULK"))
				}}
				if got := read(&r, tt.in, &lim, cut); got.err != tt.want || asks != tt.asks {
					t.Errorf("%s: error %v after %d questions; want %v after %d", name, got.err, asks, tt.want, tt.asks)
				}
				if lim.Budget.Used() != 0 {
					t.Errorf("%s: %d bytes left in the budget", name, lim.Budget.Used())
				}
			}
		})
	}
}

// A frame shorter than the prefix is judged by all it has.
func TestReaderBulkShortFrame(t *testing.T) {
	var seen string
	lim := Limits{MessageBytesMax: 4, BulkBytesMax: 20, Bulk: func(p []byte) bool { seen = string(p); return true }}
	var r Reader
	got := read(&r, stream(clientFrame{op: Binary, payload: []byte("ten bytes!")}), &lim, bytewise)
	if got.err != nil || len(got.steps) != 1 || seen != "ten bytes!" {
		t.Errorf("%v, asked with %q", got, seen)
	}
}

func TestReaderMemoryFollowsTheBytes(t *testing.T) {
	lim := Limits{MessageBytesMax: 16 << 20, Budget: NewBudget(64 << 20)}
	for _, more := range []bool{false, true} {
		var r Reader
		in := declare(Binary, 16<<20)
		if more {
			in[0] &^= bitFin
		}
		for sent := 0; sent < 5<<20; {
			if _, n, err := r.Next(in, &lim); err != nil || n != len(in) {
				t.Fatalf("after %d bytes: consumed %d of %d, %v", sent, n, len(in), err)
			}
			sent += len(in)
			if held := r.Buffered(); held > 2*sent+1024 || int64(held) != lim.Budget.Used() {
				t.Fatalf("%d bytes held for %d sent; budget %d", held, sent, lim.Budget.Used())
			}
			in = noise(min(sent, 64<<10))
		}
		if !r.Partial() {
			t.Error("not partial")
		}
		r.Release()
		r.Release()
		if r.Partial() || r.Buffered() != 0 || lim.Budget.Used() != 0 {
			t.Errorf("released: %d bytes held, %d in the budget", r.Buffered(), lim.Budget.Used())
		}
	}
}

// Many tiny fragments must neither copy in quadratic time nor hold more than the limit.
func TestReaderTinyFragments(t *testing.T) {
	lim := Limits{MessageBytesMax: 64 << 10}
	in := stream(clientFrame{op: Binary, more: true, payload: []byte("a")})
	next := stream(clientFrame{op: Continuation, more: true, payload: []byte("a")})
	var r Reader
	moves, last := 0, 0
	for sent := 1; sent < lim.MessageBytesMax; sent++ {
		if _, _, err := r.Next(append([]byte(nil), in...), &lim); err != nil {
			t.Fatal(err)
		}
		if r.Buffered() != last {
			moves, last = moves+1, r.Buffered()
		}
		in = next
	}
	if moves > 12 || last > lim.MessageBytesMax+1024 {
		t.Errorf("moved %d times, holds %d bytes for a limit of %d", moves, last, lim.MessageBytesMax)
	}
}

func TestPoolOf(t *testing.T) {
	for _, tt := range []struct{ n, size, class int }{
		{0, 0, -1}, {pooledBytesMin, pooledBytesMin, -1}, {pooledBytesMin + 1, 64 << 10, 0}, {64 << 10, 64 << 10, 0},
		{64<<10 + 1, 128 << 10, 1}, {512<<10 + 1, pooledBytesMax, 4}, {pooledBytesMax, pooledBytesMax, 4}, {pooledBytesMax + 1, pooledBytesMax + 1, -1},
	} {
		pool, size := poolOf(tt.n)
		if size != tt.size || (pool == nil) != (tt.class < 0) || pool != nil && pool != &pools[tt.class] {
			t.Errorf("poolOf(%d) = %p, %d; want class %d, %d", tt.n, pool, size, tt.class, tt.size)
		}
	}
}

func TestReaderBudgetIsShared(t *testing.T) {
	lim := Limits{MessageBytesMax: 1 << 20, Budget: NewBudget(3000)}
	var readers [10]Reader
	refused := 0
	for i := range readers {
		if _, _, err := readers[i].Next(append(declare(Binary, 1<<20), 1, 2, 3), &lim); err == errBudget {
			refused++
		}
	}
	if refused == 0 || refused == len(readers) || lim.Budget.Used() > 3000 {
		t.Errorf("%d of %d refused, %d bytes used", refused, len(readers), lim.Budget.Used())
	}
	for i := range readers {
		readers[i].Release()
	}
	if lim.Budget.Used() != 0 {
		t.Errorf("%d bytes left", lim.Budget.Used())
	}
}

func TestReaderIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Reader{}); size > 8 {
		t.Errorf("an idle reader takes %d bytes", size)
	}
	if assemblyBytes+dataBytesMin > 768 {
		t.Errorf("a partial frame takes %d bytes", assemblyBytes+dataBytesMin)
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	in := stream(clientFrame{op: Binary, payload: noise(90)}, clientFrame{op: Ping}, clientFrame{op: Text, payload: make([]byte, 2000)},
		clientFrame{op: Close, payload: []byte{3, 0xE8}})
	bad := stream(clientFrame{op: Text, payload: []byte("\xff")})
	buf := make([]byte, len(in))
	var r Reader
	if n := testing.AllocsPerRun(100, func() {
		copy(buf, in)
		for rest := buf; ; {
			m, n, err := r.Next(rest, &wide)
			if err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; m.Kind == None {
				break
			}
		}
		copy(buf, bad)
		if _, _, err := r.Next(buf[:len(bad)], &wide); err == nil {
			t.Fatal("accepted")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
