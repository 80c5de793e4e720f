package valve

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"deepstream-fast/lazyjson"
)

// Nothing that somebody writes as a rule makes the parser or the evaluation panic, and mistakes lie
// within the text.
func FuzzRule(f *testing.F) {
	for _, text := range rulesOf(f, "testdata/language.rules") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRule(text)
		if err != nil {
			if message, from := syntaxOf(err); message == "" || from < 0 || from > len(text) {
				t.Fatalf("%q: %v at %d", text, err, from)
			}
			return
		}
		for _, in := range inputs {
			if v := evaluate(r, in); v.kind == kindSkipped || len(v.text) > textBytesMax {
				t.Fatalf("%q: %v", text, v.kind)
			}
		}
	})
}

// Rules made by chance mean what they mean in JavaScript.
func FuzzAgainstJavaScript(f *testing.F) {
	f.Add([]byte("deepstream"))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add([]byte{200, 100, 50, 25, 12, 6, 3, 1, 255, 254, 253, 17, 34, 51, 68, 85, 102, 119, 136, 153})
	for _, name := range []string{"language.rules", "selection.txt", "rounds.txt"} { // bytes enough
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for chunk := range slices.Chunk(text[:min(len(text), 4000)], 80) {
			f.Add(chunk)
		}
	}
	o := newOracle()
	f.Fuzz(func(t *testing.T, choices []byte) {
		agree(t, o, (&author{choices: choices}).expression(4))
	})
}

// author writes rules by the choices it is given.
type author struct {
	choices []byte
}

func (a *author) pick(n int) int {
	if len(a.choices) == 0 {
		return 0
	}
	c := int(a.choices[0])
	a.choices = a.choices[1:]
	return c % n
}

func (a *author) of(list ...string) string { return list[a.pick(len(list))] }

// atom is something without operands.
func (a *author) atom() string {
	return a.of(
		"data", "oldData", "user.id", "user.data", "name", "now", "action", "$userId", "$b", "unknown",
		"null", "undefined", "true", "false", "NaN", "Infinity", "0", "1", "-1", "12", "1.5", "1e9", "0x1F", "2147483648",
		"''", "'a'", "'12'", "' 12 '", "'b'", "'price'", "'abc'", "'ünï😀'", "'any/'", "'[object Object]'", "'1,2'",
		"[]", "[1, 2]", "['a', 'b']", "[undefined, null]", "{a: 1, b: 'x'}", "_('perms')", "_('users/' + user.id)", "_('missing')",
		"data.price", "data?.a?.b", "oldData?.price", "data?.list", "data?.text", "`x${user.id}y`")
}

// expression is one of at most depth levels; operands are in parentheses, as fits.
func (a *author) expression(depth int) string {
	if depth == 0 || len(a.choices) == 0 {
		return a.atom()
	}
	sub := func() string { return "(" + a.expression(depth-1) + ")" }
	switch a.pick(12) {
	case 0, 1:
		return a.of("!", "-", "+", "~", "typeof ", "void ") + sub()
	case 2, 3, 4, 5:
		return sub() + " " + a.of("+", "-", "*", "/", "%", "===", "!==", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "??",
			"|", "&", "^", "<<", ">>", ">>>", "in") + " " + sub()
	case 6:
		return sub() + " ? " + sub() + " : " + sub()
	case 7:
		return sub() + a.of(".", "?.") + a.of("a", "b", "price", "length", "list", "role", "text", "missing")
	case 8:
		return sub() + a.of("", "?.") + "[" + a.expression(depth-1) + "]"
	case 9:
		return sub() + "." + a.of("startsWith", "endsWith", "includes", "indexOf") + "(" + sub() + a.of("", ", "+a.of("0", "1", "-1", "99", "NaN", "'1'")) + ")"
	case 10:
		return sub() + "." + a.of("trim()", "toLowerCase()", "toUpperCase()", "match(/[a-z]+/)", "match(/(\\d)(x)?/)", "match(/a|b/g)", "match(/^.$/)", "match('1')")
	}
	return a.pair(sub(), sub())
}

func (a *author) pair(x, y string) string {
	form := a.of("[%s, %s].length", "_(%s) === _(%s)", "`${%s}-${%s}`", "({a: %s, b: %s}).b", "[%s, %s][1]", "%s || %s")
	return fmt.Sprintf(form, x, y)
}

// What is looked up in JSON text is what a parser finds there.
func FuzzLookup(f *testing.F) {
	for _, in := range inputs {
		f.Add(in.data, "a")
	}
	f.Add(`{"a\u0062":1,"ab":2,"a":{"ab":[{}]},"ab":"\\\"}"}`, "ab")
	f.Add(`{"\\":"\\\\","x":1}`, `\`)
	f.Fuzz(func(t *testing.T, text, key string) {
		var parsed any
		if !lazyjson.Valid([]byte(text)) || json.Unmarshal([]byte(text), &parsed) != nil {
			v := fromJSON(trimJSON(text)) // of no use, but must end
			v.get(key)
			return
		}
		v := fromJSON(trimJSON(text))
		same(t, text, v, parsed)
		if object, ok := parsed.(map[string]any); ok {
			got, found := v.get(key)
			if want, there := object[key]; found != there {
				t.Fatalf("%s: member %q found: %v", text, key, found)
			} else if there {
				same(t, text, got, want)
			}
		}
	})
}

// same compares a value with what encoding/json made of the same text.
func same(t *testing.T, text string, v value, want any) {
	t.Helper()
	ok := false
	switch want := want.(type) {
	case nil:
		ok = v.kind == kindNull
	case bool:
		ok = v.kind == kindBool && v.truthy() == want
	case float64:
		ok = v.kind == kindNumber && v.n == want
	case string:
		ok = v.kind == kindText && strings.ToValidUTF8(v.text, "\uFFFD") == strings.ToValidUTF8(want, "\uFFFD") || strings.Contains(want, "\uFFFD")
	case []any:
		ok = v.length() == len(want)
		for i, e := range want {
			if got, found := v.at(i); found {
				same(t, text, got, e)
			}
		}
	case map[string]any:
		ok = v.kind == kindJSONObject
		for k, e := range want {
			if strings.Contains(k, "\uFFFD") {
				continue // half a surrogate pair: two keys may have become one
			}
			got, found := v.get(k)
			if !found {
				t.Fatalf("%s: member %q is not found", text, k)
			}
			same(t, text, got, e)
		}
	}
	if !ok {
		t.Fatalf("%s: got %+v, want %#v", text, v, want)
	}
}

// No file makes the loader panic, whatever its format, and problems lie within the file.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/files/*")
	if err != nil || len(files) < 4 {
		f.Fatal("no files")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Ext(name), string(text))
	}
	f.Add(".yml", "record: &a {'*': *a}")
	f.Add(".toml", "[[record]]\na.b.c=1\n[event.'*']\nread=[{a=1}]")
	f.Fuzz(func(t *testing.T, ext, text string) {
		rules, warnings, err := Load(Source{File: "x" + ext, Text: []byte(text), Env: func(string) (string, bool) { return "v", true }})
		if (rules == nil) == (err == nil) {
			t.Fatalf("rules %v, error %v", rules, err)
		}
		for _, w := range warnings {
			if w.Line < 1 || w.Column < 1 {
				t.Fatalf("%+v", w)
			}
		}
		if err != nil && err.Error() == "" {
			t.Fatal("an empty error")
		}
	})
}

// The same without a fuzzer, over rules that are the same in each run.
func TestRandomRulesAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	o := newOracle()
	seen := map[string]bool{}
	for range randomRules {
		choices := make([]byte, 40)
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		text := (&author{choices: choices}).expression(4)
		seen[text] = true
		agree(t, o, text)
	}
	if len(seen) < randomRules/2 {
		t.Fatalf("only %d different rules", len(seen))
	}
}

// randomRules is how many rules TestRandomRulesAgree writes.
const randomRules = 500
