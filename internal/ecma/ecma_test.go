package ecma

import (
	"math"
	"strings"
	"testing"
)

func TestNumberReadsTextAsJavaScriptDoes(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	tests := []struct {
		text string
		want float64
	}{
		{"", 0}, {" \t\ufeff\u2028", 0}, {"\u0085", nan}, {"0", 0}, {" 12\n", 12}, {"012", 12}, {"-1", -1}, {"+1", 1}, {"--1", nan},
		{"1.5", 1.5}, {".5", 0.5}, {"5.", 5}, {".", nan}, {"1.2.3", nan}, {"1e3", 1000}, {"1E-3", 0.001}, {"1e", nan}, {"1e+", nan},
		{".e1", nan}, {"1_000", nan}, {"1 2", nan}, {"12px", nan}, {"NaN", nan}, {"inf", nan}, {"Infinity", inf}, {"-Infinity", -inf},
		{"infinity", nan}, {"1e999", inf}, {"-1e999", -inf}, {"0x1F", 31}, {"0X1f", 31}, {"0o17", 15}, {"0b101", 5}, {"0b2", nan},
		{"0x", nan}, {"-0x1", nan}, {"0x1_0", nan}, {"0x-1", nan}, {"0x1p4", nan},
		{"0b" + strings.Repeat("1", 1000), math.Ldexp(1, 1000)}, {"0b" + strings.Repeat("0", 2000) + "11", 3},
		{"0x" + strings.Repeat("f", integerDigitsMax+1), inf}, {"0x" + strings.Repeat("f", integerDigitsMax+1) + "g", nan},
	}
	for _, tt := range tests {
		if got := Number(tt.text); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%.40q: %v, want %v", tt.text, got, tt.want)
		}
	}
}

func TestAppendNumberSpellsAsJavaScriptDoes(t *testing.T) {
	tests := []struct {
		n    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "0"}, {1, "1"}, {-1.5, "-1.5"}, {1e20, "100000000000000000000"}, {1e21, "1e+21"},
		{1e-6, "0.000001"}, {1e-7, "1e-7"}, {-1.25e-9, "-1.25e-9"}, {1e100, "1e+100"}, {5e-324, "5e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{-1.2345678901234567e-6, "-0.0000012345678901234567"}, {math.NaN(), "NaN"}, {math.Inf(1), "Infinity"}, {math.Inf(-1), "-Infinity"},
	}
	for _, tt := range tests {
		got := string(AppendNumber([]byte("> "), tt.n))
		if got != "> "+tt.want || len(got)-2 > NumberBytesMax {
			t.Errorf("%v: %q, want %q", tt.n, got, tt.want)
		}
	}
}

func FuzzNumberUndoesAppendNumber(f *testing.F) {
	for _, seed := range []float64{0, 1, -1e21, 1e-7, 0.1, math.MaxFloat64, math.Inf(-1), math.NaN()} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, n float64) {
		text := AppendNumber(nil, n)
		if back := Number(string(text)); back != n && n == n || len(text) > NumberBytesMax {
			t.Errorf("%v is spelled %q, which is %v", n, text, back)
		}
	})
}

func TestArrayIndexTakesCanonicalTextOnly(t *testing.T) {
	tests := []struct {
		key   string
		index int64
		ok    bool
	}{
		{"0", 0, true}, {"7", 7, true}, {"4294967294", 1<<32 - 2, true}, {"4294967295", 0, false}, {"9999999999", 0, false},
		{"42949672940", 0, false}, {"", 0, false}, {"00", 0, false}, {"01", 0, false}, {"-1", 0, false}, {"1.0", 0, false}, {"a", 0, false}, {"1a", 0, false},
	}
	for _, tt := range tests {
		index, ok := ArrayIndex(tt.key)
		asBytes, okBytes := ArrayIndex([]byte(tt.key))
		if ok != tt.ok || ok && index != tt.index || ok != okBytes || index != asBytes {
			t.Errorf("%q: %d, %v; as bytes %d, %v", tt.key, index, ok, asBytes, okBytes)
		}
	}
}

func TestSpaceIsThatOfJavaScript(t *testing.T) {
	for r := rune(0); r <= 0xFFFF; r++ {
		want := strings.ContainsRune("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff", r) || r >= 0x2000 && r <= 0x200a
		if r >= 0xD800 && r <= 0xDFFF {
			want = false // ContainsRune takes halves of surrogate pairs for U+FFFD
		}
		if IsSpace(r) != want {
			t.Errorf("%U: %v", r, !want)
		}
	}
}
