package lazyjson

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"deepstream-fast/internal/invariant"
)

func mustPath(t testing.TB, text string) Path {
	t.Helper()
	p, err := ParsePath([]byte(text))
	if err != nil {
		t.Fatalf("ParsePath(%q): %v", text, err)
	}
	return p
}

// Everything but what the path names stays as it was spelled.
func TestPatchKeepsBytes(t *testing.T) {
	for _, tt := range []struct{ name, doc, path, value, want string }{
		{"value in place", `{ "z" : 1.0 , "a" : 2e0 }`, "z", "3", `{ "z" : 3 , "a" : 2e0 }`},
		{"value as spelled", `{"a":1}`, "a", "\t[1.50 ]", "{\"a\":\t[1.50 ]}"},
		{"new member at the end", `{ "z" : 1 }`, "a", "2", `{ "z" : 1,"a":2 }`},
		{"first member", "{ \n}", "a", "2", "{\"a\":2 \n}"},
		{"key in need of escapes", "{}", "\"\\\x00\x1f\b\f\n\r\té", "1", `{"\"\\\u0000\u001f\b\f\n\r\té":1}`},
		{"escaped key in place", `{"\u0061":1}`, "a", "2", `{"\u0061":2}`},
		{"all escapes in place", `{"\b\f\n\r\t\"\\\/\u00E9\ud83d\uDE00":1}`, "\b\f\n\r\t\"\\/é😀", "2", `{"\b\f\n\r\t\"\\\/\u00E9\ud83d\uDE00":2}`},
		{"last of equal keys", `{"a":1,"b":2,"a":3}`, "a", "4", `{"a":1,"b":2,"a":4}`},
		{"element in place", "[ 1 , 2 ]", "1", "3", "[ 1 , 3 ]"},
		{"element behind the end", "[ 1 , 2 ]", "3", "4", "[ 1 , 2,null,4 ]"},
		{"deep", `[{"a" : [ {"b":null } ]}]`, "0.a[0].b", `"x"`, `[{"a" : [ {"b":"x" } ]}]`},
		{"erase the first", `{ "a":1 , "b":2 }`, "a", "", `{ "b":2 }`},
		{"erase in the middle", `{"a":1, "b":2, "c":3}`, "b", "", `{"a":1, "c":3}`},
		{"erase the last", `{"a":1, "b":2 }`, "b", "", `{"a":1}`},
		{"erase the only one", `{ "a":1 }`, "a", "", `{}`},
		{"erase equal keys", `{"a":1,"\u0061":2,"b":3,"a":4}`, "a", "", `{"b":3}`},
		{"erase nothing", `{ "a" : 1 }`, "b", "", `{ "a" : 1 }`},
		{"erase an element", "[ 1 , 2 ]", "0", "", "[ null , 2 ]"},
		{"lost in an array", "[ 1 ]", "length", "0", "[ 1 ]"},
		{"lost on the way", "[ 1 ]", "length.a", "0", "[ 1 ]"},
		{"container for a lost value", "{}", "a[b][1]", "0", `{"a":[]}`},
		{"space around", " {} \n", "a", "1", " {\"a\":1} \n"},
		{"brackets in strings", `{"}":"]{[","a":["\"]"]}`, "a[1]", "1", `{"}":"]{[","a":["\"]",1]}`},
		{"half a surrogate pair is no character", `{"\ud83d":1,"\ud83d\u0041":2}`, "\ufffd", "3", `{"\ud83d":1,"\ud83d\u0041":2,"` + "\ufffd" + `":3}`},
		{"invalid UTF-8", "{\"\xff\":1}", "a", "2", "{\"\xff\":1,\"a\":2}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, prefix := mustPath(t, tt.path), []byte("kept")
			var got []byte
			var err error
			if tt.value == "" {
				got, err = Erase(prefix, []byte(tt.doc), path)
			} else {
				got, err = Set(prefix, []byte(tt.doc), path, []byte(tt.value))
			}
			if err != nil || string(got) != "kept"+tt.want {
				t.Errorf("%q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// Nothing in a path is a pattern or a query.
func TestGet(t *testing.T) {
	const doc = ` {"a":{"b":[10, {"c":null}, "x"]},"*":1,"a|b":2,"#":3,"@this":4,"\"":5,"a":{"b":[ 11 ,[]]}} `
	for path, want := range map[string]string{
		"a": `{"b":[ 11 ,[]]}`, "a.b": "[ 11 ,[]]", "a.b[0]": "11", "a.b.0": "11", "a.b[1]": "[]",
		"*": "1", "a|b": "2", "#": "3", "@this": "4", `"`: "5",
		"a.b[2]": "", "a.b[0].c": "", "a.b.#": "", "a.b.*": "", "a.*": "", "?": "", "a.b.length": "", "x": "", "a.b[-1]": "", `a\.b`: "",
	} {
		got, ok := Get([]byte(doc), mustPath(t, path))
		if ok != (want != "") || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", path, got, ok, want)
		}
		if cap(got) != len(got) {
			t.Errorf("%q: appending to the view would overwrite the document", path)
		}
	}
	if got, ok := Get([]byte(`{"a":null}`), mustPath(t, "a")); !ok || string(got) != "null" {
		t.Errorf("null: %q, %v", got, ok)
	}
}

func TestPatchLimits(t *testing.T) {
	deep := func(n int) []byte { return nested(n) }
	large := func(n int) []byte { return []byte(`{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}`) }
	for _, tt := range []struct {
		name  string
		doc   []byte
		path  string
		value []byte
		want  error
	}{
		{"as deep as may be", []byte("{}"), "a.b", deep(DepthMax - 2), nil},
		{"too deep", []byte("{}"), "a.b", deep(DepthMax - 1), ErrTooDeep},
		{"strings have no depth", []byte("{}"), "a", []byte(`"` + strings.Repeat("[", 3*DepthMax) + `"`), nil},
		{"flat and long", []byte("{}"), "a", []byte("[" + strings.Repeat("[],", 3*DepthMax) + "0]"), nil},
		{"as large as may be", large(DocBytesMax - 6), "b", []byte("1"), nil},
		{"grows too large", large(DocBytesMax - 6), "b", []byte("12"), ErrTooLarge},
		{"was too large", large(DocBytesMax + 1), "a", []byte("1"), ErrTooLarge},
		{"scalar", []byte("5"), "a", []byte("1"), ErrRoot},
		{"null", []byte(" null"), "a", []byte("1"), ErrRoot},
		{"string", []byte(`"{}"`), "a", []byte("1"), ErrRoot},
		{"nothing", nil, "a", []byte("1"), ErrRoot},
		{"no value", []byte("{}"), "a", nil, ErrSyntax},
		{"cut object", []byte(`{"b":1`), "a", []byte("1"), ErrSyntax},
		{"cut value", []byte(`{"a":{"b":{}`), "a.c", []byte("1"), ErrSyntax},
		{"wrong closer", []byte(`{"b":1]`), "a", []byte("1"), ErrSyntax},
		{"no key", []byte(`{b:1}`), "a", []byte("1"), ErrSyntax},
		{"no colon", []byte(`{"b"1}`), "a", []byte("1"), ErrSyntax},
		{"no element", []byte(`[,]`), "4", []byte("1"), ErrSyntax},
	} {
		got, err := Set([]byte("kept"), tt.doc, mustPath(t, tt.path), tt.value)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && string(got) != "kept" {
			t.Errorf("%s: dst is %.40q after a failure", tt.name, got)
		}
		if err == nil && !Valid(got[4:]) {
			t.Errorf("%s: result is not valid", tt.name)
		}
	}
	if _, err := Set(nil, []byte("{}"), Path{}, []byte("1")); !errors.Is(err, ErrPathEmpty) {
		t.Errorf("zero path: %v", err)
	}
	if _, err := Erase(nil, []byte("[]"), Path{}); !errors.Is(err, ErrPathEmpty) {
		t.Errorf("zero path: %v", err)
	}
}

func TestSetMulti(t *testing.T) {
	list := func(n int) string { return "[" + strings.Repeat(`{"path":"a"},`, n-1) + `{"path":"a"}]` }
	long := `{"l":"` + strings.Repeat("x", DocBytesMax) + `"}`
	for _, tt := range []struct {
		name, doc, patches, want string
		err                      error
	}{
		{"in order", `{"a":1}`, `[{"path":"a","data":2},{"path":"b.c","data":[]},{"path":"b.c[1]","data":"x"},{"path":"a"}]`, `{"b":{"c":[null,"x"]}}`, nil},
		{"null is no erase", `{"a":1}`, `[{"path":"a","data":null}]`, `{"a":null}`, nil},
		{"spaces, other members, other order", `{}`, ` [ { "data" : 1 , "x":[{}], "path" : "a" } ] `, `{"a":1}`, nil},
		{"last of equal members", `{}`, `[{"path":"b","data":1,"path":"a","data":2}]`, `{"a":2}`, nil},
		{"escapes", `{}`, `[{"p\u0061th":"\u00e9\ud83d\ude00\"\\\/\n!","d\u0061ta":1}]`, `{"é😀\"\\/\n!":1}`, nil},
		{"long escapes", `{}`, `[{"path":"` + strings.Repeat(`\u0061`, PathBytesMax) + `","data":1}]`, `{"` + strings.Repeat("a", PathBytesMax) + `":1}`, nil},
		{"empty list", `{}`, `[]`, "", ErrPatches},
		{"blank list", `{}`, `[ ]`, "", ErrPatches},
		{"no list", `{}`, `{"path":"a"}`, "", ErrPatches},
		{"nothing", `{}`, ``, "", ErrPatches},
		{"element no object", `{}`, `[["path"]]`, "", ErrPatches},
		{"no path", `{}`, `[{"data":1}]`, "", ErrPatches},
		{"path no string", `{}`, `[{"path":7,"data":1}]`, "", ErrPatches},
		{"empty path", `{}`, `[{"path":"","data":1}]`, "", ErrPathEmpty},
		{"blank path", `{}`, `[{"path":"\t","data":1}]`, "", ErrPathEmpty},
		{"forbidden path", `{}`, `[{"path":"a"},{"path":"\u005f_proto__.x","data":1}]`, "", ErrPathForbidden},
		{"half a surrogate pair", `{}`, `[{"path":"\ud800","data":1}]`, "", ErrPathEncoding},
		{"very long escapes", `{}`, `[{"path":"` + strings.Repeat(`\u0061`, PathBytesMax+1) + `"}]`, "", ErrPathTooLong},
		{"later failure", `{"a":1}`, `[{"path":"a","data":2},{"path":"l[200000]","data":1}]`, "", ErrFill},
		{"scalar document", `7`, `[{"path":"a"}]`, "", ErrRoot},
		{"cut list", `{}`, `[{"path":"a"}`, "", ErrSyntax},
		{"cut element", `{}`, `[{"path":"a"]`, "", ErrSyntax},
		{"cut escape", `{}`, `[{"path":"\`, "", ErrSyntax},
		{"as many as may be", `{}`, list(PatchesMax), `{}`, nil},
		{"too many", `{}`, list(PatchesMax + 1), "", ErrTooMuch},
		{"too large", long, list(2), "", ErrTooLarge},
		{"too much work", long[:DocBytesMax-2] + `"}`, list(5), "", ErrTooMuch},
		{"grows in steps", `{}`, `[` + strings.Repeat(`{"path":"a[100000].b","data":1},{"path":"a[100000]","data":0},{"path":"b","data":1},{"path":"a","data":[[]]},`, 20) + `{"path":"a","data":1}]`, `{"a":1,"b":1}`, nil},
	} {
		got, err := SetMulti([]byte("kept"), []byte(tt.doc), []byte(tt.patches))
		if !errors.Is(err, tt.err) || string(got) != "kept"+tt.want {
			t.Errorf("%s: %.80q, %v, want %.80q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// A list is the same as its patches one by one, whatever room dst has.
func TestSetMultiIsSetRepeated(t *testing.T) {
	doc := []byte(`{"n":0,"l":[]}`)
	var list []string
	want := doc
	for i := range 200 {
		path, value := fmt.Sprintf("l[%d].k%d", i*7%50, i%3), fmt.Sprintf(`{"v":%d}`, i)
		list = append(list, fmt.Sprintf(`{"path":%q,"data":%s}`, path, value))
		next, err := Set(nil, want, mustPath(t, path), []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		want = next
	}
	patches := []byte("[" + strings.Join(list, ",") + "]")
	for _, room := range []int{0, 10, len(want), 2 * len(want), 10 * len(want)} {
		got, err := SetMulti(make([]byte, 0, room), doc, patches)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("room %d: %s, %v, want %s", room, got, err, want)
		}
	}
}

func TestPatchDoesNotAllocate(t *testing.T) {
	doc, value := document(1<<10), []byte(`{"x":[1,2,3]}`)
	patches := []byte(`[{"path":"items[2].name","data":"n"},{"path":"new[3].x","data":1},{"path":"a\"b","data":1},{"path":"items[1].id"}]`)
	paths := [][]byte{[]byte("items[2].name"), []byte(" new . x[7][1] "), []byte("items[-1][ 1e2 ]")}
	buf := make([]byte, 0, 16<<10)
	if n := testing.AllocsPerRun(100, func() {
		for _, text := range paths {
			path, err := ParsePath(text)
			if err != nil {
				t.Fatal(err)
			}
			Get(doc, path)
			if _, err := Set(buf, doc, path, value); err != nil {
				t.Fatal(err)
			}
			if _, err := Erase(buf, doc, path); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := SetMulti(buf, doc, patches); err != nil {
			t.Fatal(err)
		}
	}); n != 0 && !invariant.Enabled { // the assertion's arguments allocate
		t.Errorf("%v allocations", n)
	}
}

func TestCounters(t *testing.T) {
	var c Counters
	labels := map[string]bool{}
	for i, r := range Reasons() {
		for range i + 1 {
			c.Add(r)
		}
		labels[r.String()] = true
	}
	for i, r := range Reasons() {
		if got := c.Load(r); got != uint64(i+1) {
			t.Errorf("%v: %d, want %d", r, got, i+1)
		}
	}
	if len(labels) != int(reasonCount) || labels[reasonCount.String()] {
		t.Errorf("labels are %v", labels)
	}
}
