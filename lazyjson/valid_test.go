package lazyjson

import (
	"encoding/json"
	"strings"
	"testing"
)

// texts are JSON texts and near misses; each also seeds FuzzValid.
var texts = []struct {
	name string
	text string
	want bool
}{
	{"empty", "", false},
	{"blank", " \t\r\n", false},
	{"object", `{"a":1,"b":[true,false,null],"c":{"d":"e"}}`, true},
	{"empty object", "{}", true},
	{"empty array", "[ ]", true},
	{"array of empties", "[[],{},[[]]]", true},
	{"space everywhere", " { \"a\" : [ 1 ,\t2 ] ,\r\n\"b\" : { } } ", true},
	{"vertical tab is no space", "\v1", false},
	{"byte order mark", "\xef\xbb\xbf1", false},
	{"two values", "1 2", false},
	{"trailing bracket", "{}}", false},
	{"crossed brackets", `{"a":[}]`, false},
	{"array closed as object", "[1}", false},
	{"object closed as array", `{"a":1]`, false},
	{"after an inner object", `{"a":{"b":1},"c":[{"d":2},3]}`, true},
	{"comma at the end of an array", "[1,]", false},
	{"comma at the end of an object", `{"a":1,}`, false},
	{"comma at the start", "[,1]", false},
	{"no comma", "[1 2]", false},
	{"no colon", `{"a" 1}`, false},
	{"colon in an array", `["a":1]`, false},
	{"number as a key", `{1:2}`, false},
	{"key only", `{"a"}`, false},
	{"open object", "{", false},
	{"open array", "[1", false},
	{"open key", `{"a`, false},
	{"open after the colon", `{"a":`, false},
	{"open after a comma", `{"a":1,`, false},
	{"duplicate keys", `{"a":1,"a":2}`, true},
	{"zero", "0", true},
	{"minus zero", "-0", true},
	{"leading zero", "01", false},
	{"plus", "+1", false},
	{"minus only", "-", false},
	{"minus in front of a letter", "-a", false},
	{"no integer part", ".5", false},
	{"no fraction", "1.", false},
	{"fraction", "-12.340", true},
	{"exponents", "[1e5,1E-5,1.5e+07]", true},
	{"no exponent", "1e", false},
	{"no exponent behind the sign", "1e+", false},
	{"hexadecimal number", "0x10", false},
	{"not a number", "NaN", false},
	{"true", "true", true},
	{"cut word", "tru", false},
	{"long word", "nulll", false},
	{"capital word", "True", false},
	{"empty string", `""`, true},
	{"open string", `"abc`, false},
	{"long open string", `"abcdefghijklmnopqrstuvwxyz`, false},
	{"escapes", `"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`, true},
	{"lone surrogate", `"\ud800"`, true},
	{"unknown escape", `"\x41"`, false},
	{"escaped single quote", `"\'"`, false},
	{"short unicode escape", `"\u12"`, false},
	{"bad unicode escape", `"\u12g4"`, false},
	{"escape at the end", `"\`, false},
	{"escaped closing quote", `"\"`, false},
	{"newline in a string", "\"a\nb\"", false},
	{"zero byte in a string", "\"\x00\"", false},
	{"last control in a string", "\"\x1f\"", false},
	{"delete in a string", "\"\x7f\"", true},
	{"UTF-8", `"é€😀"`, true},
	{"invalid UTF-8", "\"\xff\xc0\xa2\xdc\"", true},
	{"invalid UTF-8 outside", "\xff", false},
	{"quote behind high bytes", "\"\xa2\xa2\xa2\xa2\xa2\xa2\xa2\"", true},
}

func TestValid(t *testing.T) {
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			if got := Valid([]byte(tt.text)); got != tt.want {
				t.Errorf("Valid(%q) = %v, want %v", tt.text, got, tt.want)
			}
			if std := json.Valid([]byte(tt.text)); std != tt.want {
				t.Errorf("encoding/json says %v: the table is wrong", std)
			}
		})
	}
}

// Each position in a string is scanned as the head, the middle or the tail of an eight-byte word.
func TestValidStringPositions(t *testing.T) {
	for size := range 40 {
		for at := range size {
			for c := range 256 {
				s := strings.Repeat("x", at) + string([]byte{byte(c)}) + strings.Repeat("x", size-at-1)
				text := []byte(`["` + s + `","y"]`)
				if got, want := Valid(text), json.Valid(text); got != want {
					t.Fatalf("Valid(%q) = %v, want %v", text, got, want)
				}
			}
		}
	}
}

func nested(depth int) []byte {
	return []byte(strings.Repeat(`[{"a":`, depth/2) + strings.Repeat("[", depth%2) +
		strings.Repeat("]", depth%2) + strings.Repeat("1", 1-depth%2) + strings.Repeat("}]", depth/2))
}

func TestValidDepth(t *testing.T) {
	for depth, want := range map[int]bool{1: true, 63: true, 64: true, 65: true, 1000: true, DepthMax: true, DepthMax + 1: false, 5000: false} {
		if got := Valid(nested(depth)); got != want {
			t.Errorf("depth %d: %v, want %v", depth, got, want)
		}
		if !json.Valid(nested(depth)) {
			t.Errorf("depth %d: the test text is wrong", depth)
		}
	}
	if Valid([]byte(strings.Repeat("[", 1<<20))) {
		t.Error("a million open arrays accepted")
	}
}

// A stack that is reused keeps no container of a closed branch.
func TestValidSiblings(t *testing.T) {
	text := append(append([]byte("["), nested(70)...), ',')
	text = append(append(text, nested(71)...), ']')
	if !Valid(text) {
		t.Errorf("Valid(%s) = false", text)
	}
	if bad := []byte(`[{"a":[1]},[2},3]`); Valid(bad) {
		t.Errorf("Valid(%s) = true", bad)
	}
}

func TestValidDoesNotAllocate(t *testing.T) {
	texts := [][]byte{[]byte(payload64), nested(DepthMax), []byte(`{"a"`)}
	if n := testing.AllocsPerRun(100, func() {
		for _, text := range texts {
			Valid(text)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
