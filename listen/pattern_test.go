package listen

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"unicode/utf8"
)

func mustCompile(t testing.TB, text string) *Pattern {
	t.Helper()
	p, err := Compile([]byte(text), 1024)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// slowMatch is Match without shapes and prefixes.
func slowMatch(t testing.TB, pattern, name string) bool {
	t.Helper()
	source, _, _, err := translate([]byte(pattern))
	if err != nil {
		t.Fatal(err)
	}
	units, _ := unitForm(nil, []byte(name))
	return regexp.MustCompile(source).Match(units)
}

// jsCase is a line of testdata/js_patterns.txt, which explains itself in record.mjs.
type jsCase struct{ line, verdict, pattern, name string }

func jsCases(t testing.TB) []jsCase {
	t.Helper()
	table, err := os.ReadFile("testdata/js_patterns.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	if len(lines) < 400 {
		t.Fatalf("only %d lines: the table is damaged", len(lines))
	}
	var cases []jsCase
	for _, line := range lines {
		verdict, rest, _ := strings.Cut(line, "\t")
		var texts [2]string
		for i, field := range strings.Split(rest, "\t") {
			if err := json.Unmarshal([]byte(field), &texts[i]); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		cases = append(cases, jsCase{line, verdict, texts[0], texts[1]})
	}
	return cases
}

// TestPatternsAgreeWithJavaScript compares with what testdata/record.mjs recorded.
func TestPatternsAgreeWithJavaScript(t *testing.T) {
	for _, c := range jsCases(t) {
		p, err := Compile([]byte(c.pattern), 1024)
		switch {
		case c.verdict == "unsupported":
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: got %v, want ErrUnsupported", c.line, err)
			}
		case c.verdict == "invalid":
			if err == nil {
				t.Errorf("%s: compiled", c.line)
			}
		case err != nil:
			t.Errorf("%s: %v", c.line, err)
		default:
			want := c.verdict == "true"
			fast, slow := p.Match([]byte(c.name)), slowMatch(t, c.pattern, c.name)
			if fast != want || slow != want {
				t.Errorf("%s: shape %d says %v, the expression %v", c.line, p.shape, fast, slow)
			}
		}
	}
}

func TestShapeOfAPattern(t *testing.T) {
	for text, want := range map[string]shape{
		"news/": shapeContains, "news/.*": shapeContains, "news/*": shapeContains, ".*news/": shapeContains, "a+": shapeContains,
		"^news/": shapePrefix, "^news/.*": shapePrefix, "^news/(a|b)*": shapePrefix, "^a{1}b": shapePrefix,
		"/latest$": shapeSuffix, "^a$": shapeEqual, "^$": shapeEqual,
		".*": shapeAll, "^": shapeAll, "$": shapeAll, "^.*": shapeAll,
		"^news/.*$": shapeLine, "^news/.+$": shapeLine, "^.*$": shapeLine,
		"a|b": shapeRegexp, "^a|": shapeRegexp, "^.*a": shapeRegexp, "a.*$": shapeRegexp, "^news/[^/]+$": shapeRegexp, "a.+": shapeRegexp,
	} {
		if p := mustCompile(t, text); p.shape != want {
			t.Errorf("%q has shape %d, want %d", text, p.shape, want)
		}
	}
}

func TestCompileLimits(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":               {"", ErrPatternLength},
		"too long":            {strings.Repeat("a", 1025), ErrPatternLength},
		"not UTF-8":           {"a\xff", ErrSyntax},
		"largest repetition":  {"a{1000}", nil},
		"too many atoms":      {"(?:abc){600}", ErrUnsupported},
		"many atoms in a row": {strings.Repeat("(?:ab){100}", 12), ErrUnsupported},
		"nested":              {strings.Repeat("(", 101) + strings.Repeat(")", 101), ErrUnsupported},
		"longest":             {strings.Repeat("a", 1024), nil},
	} {
		if _, err := Compile([]byte(c.text), 1024); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// instructions returns how many instructions the expression of a pattern compiles to.
func instructions(t testing.TB, pattern string) (got, limit int) {
	t.Helper()
	source, _, size, err := translate([]byte(pattern))
	if err != nil {
		return 0, 0
	}
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return 0, 0
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		t.Fatal(err)
	}
	return len(prog.Inst), instsMax(size)
}

// What a test costs is counted in instructions, which the number of atoms must bound.
func TestInstructionsAreBounded(t *testing.T) {
	patterns := []string{"(x?x?){300}y", "(?:x*){549}", "((((a?){3})*){5}|b){20}", "(|||)", "(){1000}", "(a|){300}", "[^]{1000}"}
	for _, c := range jsCases(t) {
		patterns = append(patterns, c.pattern)
	}
	compiled := 0
	for _, pattern := range patterns {
		got, limit := instructions(t, pattern)
		if got > limit {
			t.Errorf("%q: %d instructions, want at most %d", pattern, got, limit)
		}
		compiled += min(got, 1)
	}
	if compiled < 200 || instsMax(sizeMax) > 2203 {
		t.Errorf("%d patterns compiled; the largest may have %d instructions", compiled, instsMax(sizeMax))
	}
}

// A test can't be interrupted, so one that would take too long is not made.
func TestCostOfATest(t *testing.T) {
	p := mustCompile(t, "(x?x?){270}y")
	fits := testCostMax / p.insts
	for _, c := range []struct {
		size       int
		ok, tested bool
	}{{fits, true, true}, {fits + 1, false, false}} {
		name := []byte(strings.Repeat("x", c.size-1) + "y")
		ok, cost := p.test(name)
		if ok != c.ok || (cost > testCostMax/2) != c.tested || cost > testCostMax+c.size {
			t.Errorf("%d bytes: %v for %d", c.size, ok, cost)
		}
	}
	for pattern, max := range map[string]int{"^user/[^/]+/x$": 1, "user/[^/]+/x$": 1, "user/": 1, "^user/.*$": 1, "[u]ser|x": 300} {
		if _, cost := mustCompile(t, pattern).test([]byte("news/sport/results")); cost > max {
			t.Errorf("%q costs %d on a name it has nothing to do with, want %d", pattern, cost, max)
		}
	}
}

func TestCompileKeepsNothingOfItsInput(t *testing.T) {
	text := []byte("^news/")
	p, err := Compile(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	if string(p.Text()) != "^news/" || !p.Match([]byte("news/a")) {
		t.Errorf("pattern changed to %q with its input", p.Text())
	}
}

// FuzzCompile wants no panic, and a shape that says what the expression says.
func FuzzCompile(f *testing.F) {
	for _, c := range jsCases(f) {
		f.Add(c.pattern, c.name)
	}
	f.Add("((((a{9}){9}){9}){9}){9}", "a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := Compile([]byte(pattern), 256)
		if err != nil || !utf8.ValidString(name) || len(name) > 256 {
			return
		}
		if got, limit := instructions(t, pattern); got > limit {
			t.Errorf("%q: %d instructions, want at most %d", pattern, got, limit)
		}
		if fast, slow := p.Match([]byte(name)), slowMatch(t, pattern, name); fast != slow {
			t.Errorf("%q on %q: shape %d says %v, the expression %v", pattern, name, p.shape, fast, slow)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	name := []byte("news/sport/results/2024")
	for _, c := range []struct{ kind, text string }{
		{"prefix", "^news/.*"}, {"contains", "results"}, {"line", "^news/.*$"},
		{"prefix-miss", "^user/[^/]+$"}, {"regexp", "^news/[^/]+/results/\\d+$"},
	} {
		b.Run("kind="+c.kind, func(b *testing.B) {
			p := mustCompile(b, c.text)
			b.ReportAllocs()
			for b.Loop() {
				p.Match(name)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	text := []byte("^news/[^/]+/results/\\d+$")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(text, 1024); err != nil {
			b.Fatal(err)
		}
	}
}
