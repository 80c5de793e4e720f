package lazyjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// checkMemberOf holds Member and Find against encoding/json. Of malformed text it is enough that they end
// within its bounds.
func checkMemberOf(t *testing.T, doc, key string) {
	t.Helper()
	if doc == "" {
		return // Member wants an object
	}
	tight := []byte(doc)[:len(doc):len(doc)] // what is read behind its end is a panic
	got, found := Member(tight, []byte(key))
	var want map[string]json.RawMessage
	if !Valid(tight) || tight[0] != '{' || !utf8.ValidString(doc) || json.Unmarshal(tight, &want) != nil {
		return
	}
	for k := range want {
		if strings.Contains(k, "\uFFFD") {
			return // perhaps half a surrogate pair: two keys may have become one
		}
	}
	raw, there := want[key]
	if found != there || string(got) != string(raw) {
		t.Fatalf("%s: member %q is %s %v, want %s %v", doc, key, got, found, raw, there)
	}
	if same, foundToo, _ := Find(tight, []byte(key)); foundToo != found || string(same) != string(got) {
		t.Fatalf("%s: Find says %s %v of %q, Member %s %v", doc, same, foundToo, key, got, found)
	}
}

// Brackets, quotes and escapes mean the same wherever they stand in the words that are taken at once.
func TestMemberPositions(t *testing.T) {
	pieces := []string{
		`"]"`, `"}"`, `"["`, `"\""`, `"\\"`, `"\\\"]"`, `"\\\\"`, `[]`, `{}`, `{"]":"}"}`, `[[["\"]"]]]`, `"\u0022]"`, `""`, `"é€"`, `[{"a":[1]},{"a":"{"}]`,
	}
	for pad := range 20 {
		space := strings.Repeat(" ", pad)
		for _, piece := range pieces {
			for _, doc := range []string{
				`{"x":[` + space + piece + `],"k":1}`,
				`{"x":[1,` + piece + space + `],"k":` + piece + `}`,
				`{"x":"` + strings.Repeat("x", pad) + `\"","k":[` + piece + `,` + piece + `],"y":2}`,
				`{` + space + `"k":` + piece + `,"` + strings.Repeat("x", pad) + `":{"k":` + piece + `}}`,
			} {
				if !json.Valid([]byte(doc)) {
					t.Fatalf("%s is not JSON: the test is wrong", doc)
				}
				checkMemberOf(t, doc, "k")
			}
		}
	}
}

var memberCases = []struct{ doc, key, want string }{
	{`{}`, "a", ""},
	{`{"a":1}`, "a", "1"},
	{`{"a":1,"a":2}`, "a", "2"},
	{`{ "a" : 1 , "b" : -1.5e3 }`, "b", "-1.5e3"},
	{`{"\u0061":1,"b":2}`, "a", "1"},
	{`{"a\u0062c":1,"ab":2}`, "abc", "1"},
	{`{"ab\u0063":1,"ab":2}`, "ab", "2"},
	{`{"\\":1}`, `\`, "1"},
	{`{"\\":1}`, `\\`, ""},
	{`{"\\\\":1}`, `\\`, "1"},
	{`{"":true,"a":false}`, "", "true"},
	{`{"x":{"a":1},"y":["a",{"a":2}],"z":"\"a\":3"}`, "a", ""},
	{`{"a long name of a member":null,"another name of that length":[]}`, "another name of that length", "[]"},
}

func TestMember(t *testing.T) {
	for _, c := range memberCases {
		got, found := Member([]byte(c.doc), []byte(c.key))
		if string(got) != c.want || found != (c.want != "") {
			t.Errorf("%s: member %q is %q %v, want %q", c.doc, c.key, got, found, c.want)
		}
		checkMemberOf(t, c.doc, c.key)
		for cut := range c.doc {
			checkMemberOf(t, c.doc[:cut], c.key)
		}
	}
}

func TestMemberDoesNotAllocate(t *testing.T) {
	doc, key := document(1024), []byte("owner")
	if n := testing.AllocsPerRun(100, func() {
		if _, found := Member(doc, key); !found {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzMember(f *testing.F) {
	for _, c := range memberCases {
		f.Add(c.doc, c.key)
	}
	for _, doc := range findCases {
		f.Add(doc, "a")
	}
	f.Add(`{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":["\\\\\"",{"]":["}"]}],"b\"":"\"\"\"\"\"\"\"\"\"\\"}`, `b"`)
	f.Fuzz(checkMemberOf)
}

// BenchmarkMember looks for a member at the beginning, in the middle, at the end, not there, and behind
// strings with escapes. gjson ends at the first one of that name, where the last one counts.
func BenchmarkMember(b *testing.B) {
	flat := func(text, first, middle, last string) []byte {
		pad := strings.Builder{}
		half := func(prefix string) string {
			pad.Reset()
			for i := range 9 {
				fmt.Fprintf(&pad, `"%s%d":%q,"n%s%d":%d,`, prefix, i, text, prefix, i, i*1000)
			}
			return pad.String()
		}
		return []byte("{" + first + half("x") + middle + half("y") + last + "}")
	}
	const value, text, end = `"a":{"b":5,"c":[1,2,3]}`, "some text of a usual length here", `"z":1`
	for _, c := range []struct {
		name string
		doc  []byte
	}{
		{"first", flat(text, value+",", "", end)},
		{"middle", flat(text, "", value+",", end)},
		{"last", flat(text, "", "", value)},
		{"missing", flat(text, "", "", end)},
		{"escapes", flat("some \"text\" of a\nusual length", "", "", value)},
		{"behind=lists", append(document(1000)[:len(document(1000))-1], `,`+value+`}`...)},
	} {
		key, want := []byte("a"), c.name != "missing"
		finders := []struct {
			name string
			find func() bool
		}{
			{"member", func() bool { _, found := Member(c.doc, key); return found }},
			{"find", func() bool { _, found, _ := Find(c.doc, key); return found }},
			{"gjson", func() bool { return gjson.GetBytes(c.doc, "a").Exists() }},
			{"gjson+valid", func() bool { return gjson.ValidBytes(c.doc) && gjson.GetBytes(c.doc, "a").Exists() }},
		}
		for _, f := range finders {
			b.Run("at="+c.name+"/impl="+f.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(c.doc)))
				for b.Loop() {
					if f.find() != want {
						b.Fatal("not what is there")
					}
				}
			})
		}
	}
}
