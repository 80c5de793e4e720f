package valve

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The same permissions in three formats are the same rules.
func TestFormatsAgree(t *testing.T) {
	texts := map[string]string{
		"a.yml":  "record:\n  '*': {read: true}\n  a/$b: &r {read: \"$b === 'x'\", write: false}\n  c/$b: *r\nevent: {'*': {}}\nrpc: {'*': {}}\npresence: {'*': {allow: user.id}}\n",
		"a.json": "\ufeff{\"record\": {\"*\": {\"read\": true}, \"a\\u002f$b\": {\"read\": \"$b === 'x'\", \"write\": false}, \"c/$b\": {\"read\": \"$b === 'x'\", \"write\": false}},\n\t\"event\": {\"*\": {}}, \"rpc\": {\"*\": {}}, \"presence\": {\"*\": {\"allow\": \"user.id\"}}}",
		"a.toml": "record.'*'.read = true\n[record.'a/$b']\nread = '''$b === 'x''''\nwrite = false\n[record]\n'c/$b' = {read = \"$b === 'x'\", write = false}\n[event]\n'*' = {}\n[rpc.'*']\n[presence.'*']\nallow = 'user.id'\n",
	}
	texts["a.toml"] = strings.Replace(texts["a.toml"], "[record]\n'c/$b' = {read = \"$b === 'x'\", write = false}\n", "[record.'c/$b']\nread = \"$b === 'x'\"\nwrite = false\n", 1)
	for name, text := range texts {
		rules, warnings, err := Load(Source{File: name, Text: []byte(text)})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v %v", name, warnings, err)
		}
		var list []string
		for k := range rules.kinds {
			for _, p := range rules.kinds[k].patterns {
				list = append(list, fmt.Sprintf("%s %s %s", ruleKind(k), p.text, p.rule.text))
			}
		}
		want := "record.read c/$b $b === 'x'|record.read a/$b $b === 'x'|record.read * true|record.write c/$b false|record.write a/$b false|presence.allow * user.id"
		if got := strings.Join(list, "|"); got != want || rules.Len() != 6 || rules.File() != name {
			t.Errorf("%s: %d rules in %s:\n got %s\nwant %s", name, rules.Len(), rules.File(), got, want)
		}
	}
}

// Problems are where they are in every format.
func TestProblemsHavePlaces(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"q.json": {"{\"record\": {\"*\": {\n  \"read\": \"user.id === \\\"x\\\" ?\"}},\n\"event\": {\"*\": {}}, \"rpc\": {\"*\": {}}, \"presence\": {\"*\": {}}}", "q.json:2:11"},
		"p.json": {"{\"record\": {\"*\": {\n  \"read\": \"user.id === #\"}},\n\"event\": {\"*\": {}}, \"rpc\": {\"*\": {}}, \"presence\": {\"*\": {}}}", "p.json:2:24"},
		"t.toml": {"[record.'*']\nread = 'true'\nwrite = '''\ndata.ü &&\n  new Date()'''\n[event.'*']\n[rpc.'*']\n[presence.'*']\n", "t.toml:5:3"},
		"s.toml": {"[record.'*']\nread = [1]\n[event.'*']\n[rpc.'*']\n[presence.'*']\n", "s.toml:2:1"},
		"x.toml": {"[record\n", "x.toml:1:8"},
		"x.json": {"{\n \"a\" 1}", "x.json:2:6"},
		"f.yml":  {"record:\n  '*':\n    read: >\n      user.id ===\n      'ü' && Date.now()\nevent: {'*': {}}\nrpc: {'*': {}}\npresence: {'*': {}}\n", "f.yml:5:19"},
	} {
		_, _, err := Load(Source{File: name, Text: []byte(c.text)})
		if err == nil || !strings.HasPrefix(err.Error(), c.want+": ") {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	for want, src := range map[string]Source{
		"unknown format":        {File: "a.js"},
		"empty":                 {File: "a.yml"},
		"more than one":         {File: "a.yml", Text: []byte("{}\n---\n{}\n")},
		"merge keys":            {File: "a.yml", Text: []byte("a: &a {}\nb:\n  <<: *a\n")},
		"nested":                {File: "a.yml", Text: []byte("a: &a {b: *a}\n")},
		"nested more":           {File: "a.json", Text: []byte(strings.Repeat("[", 100) + strings.Repeat("]", 100))},
		"path has more":         {File: "a.json", Text: []byte(`{"record":{"` + strings.Repeat(".", patternBytesMax) + `":{}}}`)},
		"is not UTF-8":          {File: "a.yml", Text: []byte("\xff")},
		"maximum of 167772":     {File: "a.yml", Text: make([]byte, fileBytesMax+1)},
		"already set in line 1": {File: "a.json", Text: []byte(`{"a":1,"a":2}`)},
		"no permission.x":       {File: "a.json", Text: []byte(`{"permission":{}}`), Section: []string{"permission", "x"}},
		"paths":                 {File: "a.json", Text: []byte(`{"record":{"*":{},` + strings.Repeat(`"%":{},`, 0) + manyPaths() + `},"event":{"*":{}},"rpc":{"*":{}},"presence":{"*":{}}}`)},
	} {
		if _, _, err := Load(src); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %.200v", want, err)
		}
	}
}

func manyPaths() string {
	paths := make([]string, pathsMax)
	for i := range paths {
		paths[i] = fmt.Sprintf("%q:{}", fmt.Sprint("p", i))
	}
	return strings.Join(paths, ",")
}

// A report has an end.
func TestReportsAreBounded(t *testing.T) {
	text := "record:\n  '*': {}\n"
	for i := range 1000 {
		text += fmt.Sprintf("  p%d: { read: '%s', write: unknown }\n", i, []string{"a b", "true"}[i%2])
	}
	_, _, err := Load(Source{File: "a.yml", Text: []byte(text + "event: {'*': {}}" + restOfFile)})
	var problems Errors
	if !errors.As(err, &problems) || len(problems) != problemsMax || problems[0].Line != 3 {
		t.Errorf("%d problems", len(problems))
	}
	_, warnings, err := Load(Source{File: "a.yml", Text: []byte(strings.ReplaceAll(text, "a b", "true") + "event: {'*': {}}" + restOfFile)})
	if err != nil || len(warnings) != problemsMax {
		t.Errorf("%d warnings, %v", len(warnings), err)
	}
}

// Variables of the environment are replaced as the configuration does it.
func TestVariablesAreReplaced(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"ADMIN": "ann", "EMPTY": ""}[name]
		return v, ok
	}
	text := "# ${NOT} here\nrecord: {'*': {read: \"user.id === '${ADMIN}'\", write: \"'${EMPTY:-d}' + `$${name}`\", create: \"'${MISSING:-x y}'\"}}\nevent: {'*': {}}" + restOfFile
	rules, _, err := Load(Source{File: "a.yml", Text: []byte(text), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[ruleKind]string{recordRead: "user.id === 'ann'", recordWrite: "'d' + `${name}`", recordCreate: "'x y'"} {
		if got := rules.kinds[k].patterns[0].rule.text; got != want {
			t.Errorf("%s: %s, want %s", k, got, want)
		}
	}
}

// The files that are there to be read, load without warnings.
func TestExampleFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/files/*")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rules, warnings, err := Load(Source{File: name, Text: text, Env: os.LookupEnv})
		if err != nil || len(warnings) > 0 || rules.Len() < 15 {
			t.Errorf("%s: %v %v", name, warnings, err)
		}
	}
}

// Paths that are matched without a regular expression match as the regular expression does.
func TestShapesOfPaths(t *testing.T) {
	names := []string{"", "a", "a/", "a/b", "a/b/", "a/b/c", "/", "//", "a//c", "ab", "b", "a/b\nc", "a\nb/c", "a/b\u2028", "a/ü/😀", "a/b/c/d", "undefined"}
	for _, path := range []string{"*", "a", "a/*", "$a", "$a/*", "a/$b", "a/$b/$c", "$a/b/$c", "a/$b/*", "$a/$b/$c", "a*", "a/b", "$a/$a"} {
		quick, _, err := compilePath(path)
		if err != nil || quick.regex != nil {
			t.Fatalf("%s: %v, regex %v", path, err, quick)
		}
		slow := *quick
		if err := slow.compile(); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			var a, b captures
			okA, _ := quick.match(name, &a)
			okB, _ := slow.match(name, &b)
			if okA != okB || okA && a != b {
				t.Errorf("%s on %q: %v %v, the regular expression %v %v", path, name, okA, a, okB, b)
			}
		}
	}
}
