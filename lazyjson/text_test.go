package lazyjson

import (
	"encoding/json"
	"testing"
)

func TestAppendUnescaped(t *testing.T) {
	tests := []struct {
		name, spelled, want string
		exact               bool
	}{
		{"nothing", ``, "", true},
		{"plain", `ab c`, "ab c", true},
		{"short escapes", `\"\\\/\b\f\n\r\t`, "\"\\/\b\f\n\r\t", true},
		{"between plain text", `a\nb\tc`, "a\nb\tc", true},
		{"by number", `\u0041\u00e9\u20AC`, "Aé€", true},
		{"zero", `\u0000`, "\x00", true},
		{"a pair", `\ud83d\ude00!`, "😀!", true},
		{"half a pair at the end", `a\ud83d`, "a\uFFFD", false},
		{"half a pair before a character", `\ud83d\u0041b`, "\uFFFDAb", false},
		{"the second half first", `\ude00\ud83d`, "\uFFFD\uFFFD", false},
		{"said to be U+FFFD", `\ufffd`, "\uFFFD", true},
		{"malformed: too short", `ab\u00`, "ab\uFFFD", false},
		{"malformed: no digits", `\u00xyz`, "\uFFFDz", false},
		{"malformed: nothing behind", `a\`, "a\uFFFD", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, exact := AppendUnescaped([]byte("> "), []byte(tt.spelled))
			if string(got) != "> "+tt.want || exact != tt.exact {
				t.Errorf("%q, %v; want %q, %v", got, exact, "> "+tt.want, tt.exact)
			}
		})
	}
}

// Whatever is a JSON string of valid UTF-8 says what encoding/json says it does, and is not longer than its
// spelling.
func FuzzAppendUnescaped(f *testing.F) {
	for _, seed := range []string{``, `a\u00e9\ud83d\ude00\n`, `\ud83d`, `\\u0041`, `\u00`, `\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spelled string) {
		got, _ := AppendUnescaped(nil, []byte(spelled))
		quoted := []byte(`"` + spelled + `"`)
		var want string
		if !json.Valid(quoted) || json.Unmarshal(quoted, &want) != nil {
			return
		}
		if string([]rune(string(got))) != want {
			t.Errorf("%q says %q, not %q", spelled, want, got)
		}
		if len(got) > len(spelled) {
			t.Errorf("%q became %d bytes", spelled, len(got))
		}
	})
}
