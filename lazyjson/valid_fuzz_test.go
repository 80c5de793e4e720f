package lazyjson

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzValid holds Valid against encoding/json. The two may differ only where more than DepthMax
// containers could be open.
func FuzzValid(f *testing.F) {
	for _, tt := range texts {
		f.Add([]byte(tt.text))
	}
	f.Add(nested(DepthMax))
	f.Add(nested(DepthMax + 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		got, want := Valid(text), json.Valid(text)
		openers := bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
		if got != want && (got || openers <= DepthMax) {
			t.Errorf("Valid(%q) = %v, want %v", text, got, want)
		}
		if !bytes.Equal(text, before) {
			t.Errorf("Valid modified %q", before)
		}
	})
}
