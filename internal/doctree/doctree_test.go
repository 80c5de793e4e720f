package doctree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

var roomy = Limits{Values: 1000, Depth: 64}

// dump spells a tree so that it can be compared, without positions.
func dump(n *Node) string {
	switch n.Kind {
	case Null:
		return "null"
	case Bool, Int, Float:
		return n.Text
	case List:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			parts[i] = dump(item)
		}
		return "[" + strings.Join(parts, " ") + "]"
	case Table:
		parts := make([]string, len(n.Entries))
		for i, e := range n.Entries {
			parts[i] = e.Key + "=" + dump(e.Value)
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return fmt.Sprintf("%q", n.Text)
}

func TestOneTreeFromThreeFormats(t *testing.T) {
	const want = `{a=1 b={c="x" d=[true 1.5 "y"]} e=[{f=-2} {f=3}]}`
	for ext, text := range map[string]string{
		".json": `{"a": 1, "b": {"c": "x", "d": [true, 1.5, "y"]}, "e": [{"f": -2}, {"f": 3}]}`,
		".yml":  "a: 1\nb:\n  c: x\n  d: [True, 1.5, \"y\"]\ne:\n  - f: -2\n  - {f: 3}\n",
		".yaml": "a: 1\nb: {c: x, d: &d [true, 1.5, y]}\ne: [{f: -2}, {f: 3}]\n",
		".toml": "a = 1\nb.c = 'x'\nb.d = [true, 1.5, 'y']\n[[e]]\nf = -2\n[[e]]\nf = 3\n",
	} {
		root, err := Parse(ext, text, roomy)
		if err != nil {
			t.Errorf("%s: %v", ext, err)
			continue
		}
		if got := dump(root); got != want {
			t.Errorf("%s: %s", ext, got)
		}
		if v := root.Get("b").Get("c"); v == nil || v.Text != "x" || root.Get("c") != nil || v.Get("x") != nil {
			t.Errorf("%s: b.c is %v", ext, v)
		}
	}
}

func TestScalarsKeepTheirText(t *testing.T) {
	tests := []struct{ ext, text, want string }{
		{".json", `[null, "", 1e3, -0, 12345678901234567890]`, `[null "" 1e3 -0 12345678901234567890]`},
		{".yml", "[~, null, 0x1F, 1_000, 2026-01-02, !!str 5, no]", `[null null 0x1F 1000 "2026-01-02" "5" "no"]`},
		{".yml", "a: &x {b: 1}\nc: *x\n", `{a={b=1} c={b=1}}`},
		{".toml", "a = [0x1F, 1_000, 1_0.5, 2026-01-02, '''x\ny''']", `{a=[0x1F 1000 10.5 "2026-01-02" "x\ny"]}`},
		{".toml", "", "{}"},
	}
	for _, tt := range tests {
		root, err := Parse(tt.ext, tt.text, roomy)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
		} else if got := dump(root); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, got, tt.want)
		}
	}
	if root, err := Parse(".yml", "# nothing\n", roomy); root != nil || err != nil {
		t.Errorf("no document: %v, %v", root, err)
	}
}

func TestValuesAndKeysKnowTheirPlace(t *testing.T) {
	for ext, text := range map[string]string{
		".json": "{\n \"ü\": {\n  \"key\": \"value\"}}", ".yml": "ü:\n  é: 1\n  key: \"value\"\n", ".toml": "[o]\n\"é\" = 1\nkey = \"value\"\n",
		".yaml": "\n\nempty lines first:\n  key: \"value\"\n",
	} {
		root, err := Parse(ext, text, roomy)
		if err != nil {
			t.Fatalf("%s: %v", ext, err)
		}
		outer := root.Entries[0].Value
		inner := outer.Entries[len(outer.Entries)-1]
		if at := text[inner.Pos:]; !strings.HasPrefix(strings.TrimPrefix(at, `"`), "key") {
			t.Errorf("%s: the key is at %.10q", ext, at)
		}
		if at := text[inner.Value.Pos:]; !strings.HasPrefix(at, `"value"`) {
			t.Errorf("%s: the value is at %.10q", ext, at)
		}
	}
}

func TestMistakesAreNamedAtTheirPlace(t *testing.T) {
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	many := "[" + strings.Repeat("1,", 1000) + "1]"
	tests := []struct {
		ext, text string
		at        string // what the text goes on with at the place; "" for its end
		message   string
	}{
		{".json", `{"a": 1, "b": x}`, `x}`, "invalid character"},
		{".json", `{"a": 1`, `1`, "unexpected end"},
		{".json", `{"a":1,"a":2}`, `"a":2`, `key "a" is already set`},
		{".yml", "a: 1\nb: 2\na: 3\n", "a: 3", `key "a" is already set`},
		{".yml", "a: 1\n---\nb: 1\n", "a: 1", "more than one YAML document"},
		{".yml", "a: !!binary aGk=\n", "!!binary", `tag "!!binary" is not supported`},
		{".yml", "a: &a {}\nb:\n  <<: *a\n", "<<", "merge keys"},
		{".yml", "a: &x [*x]\n", "&x [*x]", "nested more than the maximum of 64 levels deep"},
		{".toml", "a = 1\na = 2\n", "", ""},
		{".toml", "[a]\nb = \n", "", ""},
		{".toml", "a = 1\n[a.b]\n", "", ""},
		{".json", deep, "]", "nested more than the maximum of 64 levels deep"},
		{".yml", deep, "]", "nested more than the maximum of 64 levels deep"},
		{".toml", "a = " + deep, "a = [", "nested more than the maximum of 64 levels deep"},
		{".toml", strings.Repeat("a.", 70) + "a = 1", "a.", "nested more than the maximum of 64 levels deep"},
		{".toml", "[" + strings.Repeat("a.", 70) + "a]", "a.", "nested more than the maximum of 64 levels deep"},
		{".json", many, "1,1]", "more than the maximum of 1000 values"},
		{".yml", many, "1,1]", "more than the maximum of 1000 values"},
		{".toml", "a = " + many, "", "more than the maximum of 1000 values"},
	}
	for _, tt := range tests {
		root, err := Parse(tt.ext, tt.text, roomy)
		var wrong *Error
		if root != nil || !errors.As(err, &wrong) {
			t.Errorf("%s %.30q: %v, %v", tt.ext, tt.text, root, err)
			continue
		}
		if wrong.Pos < 0 || wrong.Pos > len(tt.text) || !strings.Contains(wrong.Message, tt.message) || strings.Contains(wrong.Message, "\n") {
			t.Errorf("%s %.30q: %q at %d", tt.ext, tt.text, wrong.Message, wrong.Pos)
			continue
		}
		if at := tt.text[wrong.Pos:]; tt.at != "" && !strings.HasPrefix(at, strings.TrimSuffix(tt.at, "]")) {
			t.Errorf("%s %.30q: %q at %.20q", tt.ext, tt.text, wrong.Message, at)
		}
		if wrong.Again && wrong.First >= wrong.Pos {
			t.Errorf("%s %.30q: first at %d, again at %d", tt.ext, tt.text, wrong.First, wrong.Pos)
		}
	}
}

func TestFormatsByExtension(t *testing.T) {
	for ext, want := range map[string]string{".toml": "#", ".yml": "#", ".yaml": "#", ".json": "no comments", ".ini": "unknown", "": "unknown", ".YML": "unknown"} {
		got := "unknown"
		if Known(ext) {
			got = "no comments"
		}
		if HasComments(ext) {
			got = "#"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", ext, got, want)
		}
	}
}

// No text makes Parse panic, go on for long, or point outside of it.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, "a: &x\n  - *x\n", "[a]\nb.c = [{d=1}]\n[[e]]\n[[e.f]]\n", "a: !!float 1_0\n", "ü = 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // callers refuse it
		}
		for ext := range parsers {
			root, err := Parse(ext, text, roomy)
			var wrong *Error
			if errors.As(err, &wrong) && (wrong.Pos < 0 || wrong.Pos > len(text) || wrong.First < 0 || wrong.First > len(text)) {
				t.Errorf("%s: %q at %d, %d of %d", ext, wrong.Message, wrong.Pos, wrong.First, len(text))
			}
			if err == nil && root != nil {
				inside(t, root, len(text), 1)
			}
		}
	})
}

// inside checks positions and limits of a tree.
func inside(t *testing.T, n *Node, length, depth int) {
	if n.Pos < 0 || n.Pos > length || depth > roomy.Depth {
		t.Fatalf("%+v, %d levels deep in %d bytes", n, depth, length)
	}
	for _, item := range n.Items {
		inside(t, item, length, depth+1)
	}
	for _, e := range n.Entries {
		if e.Pos < 0 || e.Pos > length || n.Get(e.Key) != e.Value {
			t.Fatalf("%q at %d of %d bytes", e.Key, e.Pos, length)
		}
		inside(t, e.Value, length, depth+1)
	}
}
