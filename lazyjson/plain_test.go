package lazyjson

import (
	"bytes"
	"testing"
)

// plain never goes beyond the first byte that ends the plain part of a string, and never far short of it
// where the processor has what it takes.
func TestPlain(t *testing.T) {
	implemented := plain(bytes.Repeat([]byte("x"), 64)) > 0
	for size := range 130 {
		room := bytes.Repeat([]byte{'"'}, size+64) // what lies beside the text ends nothing
		for offset := range 3 {
			text := room[32+offset : 32+offset+size]
			for at := range size {
				for _, stop := range []byte{'"', '\\', 0, 0x1F, ' ', 0x7F, 0x80, 0xFF, '!', '#', '[', ']'} {
					for i := range text {
						text[i] = byte(' ' + i%2*('a'-' '))
					}
					text[at] = stop
					end := skipShort(text, 0)
					least := min(end, size&^31)
					if got := plain(text); got > end || implemented && got < least {
						t.Fatalf("%q: %d, want %d to %d", text, got, least, end)
					}
				}
			}
		}
	}
}
