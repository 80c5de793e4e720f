package ws

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

func TestAppendFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		for _, op := range []Opcode{Text, Binary, Close, Ping, Pong} {
			payload := noise(size)
			got := AppendFrame([]byte("before"), op, payload)[len("before"):]
			want, err := gobwas.CompileFrame(gobwas.NewFrame(gobwas.OpCode(op), true, payload))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v of %d bytes: %x, want %x", op, size, got[:10], want[:10])
			}
			if head := AppendHeader(nil, op, size); len(head) != HeaderSize(size) || !bytes.HasPrefix(want, head) {
				t.Errorf("%v of %d bytes: header %x", op, size, head)
			}
			masked := AppendMasked([]byte("x"), op, testKey, payload)[1:]
			want, err = gobwas.CompileFrame(gobwas.MaskFrameWith(gobwas.NewFrame(gobwas.OpCode(op), true, payload), testKey))
			if err != nil || !bytes.Equal(masked, want) {
				t.Errorf("masked %v of %d bytes differs", op, size)
			}
			if !bytes.Equal(payload, noise(size)) {
				t.Errorf("masking modified the payload of %d bytes", size)
			}
		}
	}
}

func TestAppendClose(t *testing.T) {
	tests := []struct {
		name   string
		code   CloseCode
		reason string
		want   string
	}{
		{"code and reason", CloseNormal, "bye", "\x88\x05\x03\xe8bye"},
		{"code only", CloseGoingAway, "", "\x88\x02\x03\xe9"},
		{"nothing", CloseNoStatus, "never sent", "\x88\x00"},
		{"long", CloseNormal, strings.Repeat("x", 200), "\x88\x7d\x03\xe8" + strings.Repeat("x", 123)},
		{"cut between characters", CloseNormal, strings.Repeat("x", 121) + "€", "\x88\x7b\x03\xe8" + strings.Repeat("x", 121)},
		{"longest of whole characters", CloseNormal, strings.Repeat("x", 120) + "€", "\x88\x7d\x03\xe8" + strings.Repeat("x", 120) + "€"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendClose(nil, tt.code, tt.reason)); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// Every error of the reader is a close frame that a client accepts.
func TestCloseErrorsFit(t *testing.T) {
	for _, e := range []*CloseError{errReservedBits, errOpcode, errUnmasked, errControl, errSize, errNotStarted,
		errNotFinished, errCloseFrame, errKind, errUTF8, errTooBig, errBudget} {
		if !e.Code.Valid() || len(e.Reason) > CloseReasonBytesMax || !utf8.ValidString(e.Reason) {
			t.Errorf("%v cannot be sent", e)
		}
		if !strings.Contains(e.Error(), e.Reason) {
			t.Errorf("%q does not name %q", e.Error(), e.Reason)
		}
	}
}

func TestOpcode(t *testing.T) {
	names := map[Opcode]string{Continuation: "continuation", Text: "text", Binary: "binary", Close: "close", Ping: "ping", Pong: "pong"}
	for op := range Opcode(16) {
		want := names[op]
		if want == "" {
			want = "reserved"
		}
		if op.String() != want || op.IsControl() != gobwas.OpCode(op).IsControl() && want != "reserved" {
			t.Errorf("opcode %d: %v, control %v", op, op, op.IsControl())
		}
	}
}

func TestUnmask(t *testing.T) {
	key := binary.LittleEndian.Uint32(testKey[:])
	for size := range 2 * cipherBytesMin {
		for at := range 8 { // alignment
			p := noise(size + at)[at:]
			want := bytes.Clone(p)
			for i := range want {
				want[i] ^= testKey[i%4]
			}
			cut := size / 3
			unmask(p[:cut], key)
			unmask(p[cut:], rotate(key, cut))
			if !bytes.Equal(p, want) {
				t.Fatalf("%d bytes at %d, cut at %d: wrong", size, at, cut)
			}
		}
	}
}
