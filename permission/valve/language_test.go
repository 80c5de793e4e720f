package valve

import (
	"os"
	"strings"
	"testing"
)

// rulesOf reads a file with one rule in each line; # starts a comment.
func rulesOf(t testing.TB, path string) (rules []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	return rules
}

// Every rule means what it means in JavaScript, in every input.
func TestLanguageAgreesWithJavaScript(t *testing.T) {
	rules := rulesOf(t, "testdata/language.rules")
	if cases := len(rules) * len(inputs); cases < 900 {
		t.Fatalf("only %d cases: is the file read?", cases)
	}
	o := newOracle()
	for _, text := range rules {
		agree(t, o, text)
	}
}

// Where rules differ from JavaScript on purpose, they do so like this.
func TestDeviations(t *testing.T) {
	for _, c := range []struct{ rule, in, want string }{
		{"data.constructor", "plain", "undefined"},
		{"data.toString", "plain", "undefined"},
		{"data.__proto__", "plain", "undefined"},
		{"'constructor' in data", "plain", "false"},
		{"data.list.map", "plain", "undefined"},
		{"data.text.constructor", "plain", "undefined"},
		{"user.toString", "plain", "undefined"},
		{"user.id.charAt", "plain", "undefined"},
		{"_('perms').hasOwnProperty", "plain", "undefined"},
		{"data[3][0]", "odd", `"` + "\uFFFD" + `"`}, // half a surrogate pair
		{"!oldData", "plain", "false"},              // the official server does not load it there
		{"!oldData", "bare", "true"},
		{"_('')", "plain", "null"},
	} {
		r, err := parseRule(c.rule)
		if err != nil {
			t.Fatalf("%s: %v", c.rule, err)
		}
		if got := outcome(evaluate(r, inputs[c.in])); got != c.want {
			t.Errorf("%s with %s: got %s, want %s", c.rule, c.in, got, c.want)
		}
	}
}

// Where the oracle itself differs from JavaScript, what Node says counts.
func TestWhereTheOracleErrs(t *testing.T) {
	for rule, want := range map[string]string{
		"1e20 | 0":                 "1661992960",
		"-1e20 >>> 0":              "2632974336",
		"-13 * false":              "-0",
		"'aab'.match(/a*/g)":       `array "aa,,"`,
		`'a\rb'.match(/^b$/m)`:     `array "b"`,
		`'\u212a'.match(/k/i)`:     "null",
		`'\u017f'.match(/[a-z]/i)`: "null",
		"/[/]/ + ''":               `"/[/]/"`,
		"[1,2,3].indexOf(3, NaN)":  "2",
	} {
		r, err := parseRule(rule)
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if got := outcome(evaluate(r, inputs["plain"])); got != want {
			t.Errorf("%s: got %s, want %s", rule, got, want)
		}
	}
}

func TestRefusedRules(t *testing.T) {
	for rule, want := range map[string]string{
		"":                  "empty",
		"  // nothing":      "empty",
		"new Date()":        `"new"`,
		"function() {}":     "functions",
		"x => 1":            "functions",
		"(x) => 1":          "functions",
		"async () => 1":     "functions",
		"a = 1":             "assign",
		"data.a += 1":       "assign",
		"a++":               "assign",
		"--a":               "assign",
		"delete data.a":     `"delete"`,
		"this.a":            `"this"`,
		"await x":           `"await"`,
		"a instanceof b":    `"instanceof"`,
		"1, 2":              "comma",
		"[...data]":         `"..."`,
		"12n":               "BigInt",
		"010":               "leading zero",
		"1_":                "no number",
		"3in":               "no number",
		"return true":       `"return"`,
		"Date.now()":        `method "now"`,
		"data.list.some(1)": `method "some"`,
		"parseInt(1)":       `function "parseInt"`,
		"(data.a)()":        "only _()",
		"data['trim']()":    "only _()",
		"_('a')()":          "only _()",
		"_`a`":              "tagged",
		"a ?? b || c":       "parentheses",
		"a && b ?? c":       "parentheses",
		"-2 ** 2":           "parentheses",
		"data.":             "a name",
		"data.a b":          "end of the rule",
		"(data.a":           `")"`,
		"data[":             "a value",
		"{a: 1":             `"}"`,
		"{a}":               "write a: a",
		"{__proto__: 1}":    "__proto__",
		"'abc":              "not closed",
		"`abc":              "not closed",
		"`a${1":             `"}"`,
		"`a${1 2}`":         `"}"`,
		"/abc":              "not closed",
		"/* abc":            "not closed",
		"/(/":               "not closed",
		"/a/q":              "unknown flag",
		"/" + strings.Repeat("a{1000}", 30) + "/":          "too many repetitions",
		"/" + strings.Repeat("a", patternBytesMax+1) + "/": "maximum",
		"/a/gg":                        "twice",
		"/*/ 1":                        "not closed",
		"/a**/":                        "nothing to repeat",
		`'\u12'`:                       "hexadecimal",
		`'\x1'`:                        "hexadecimal",
		`'\1'`:                         "octal",
		"if (a) b":                     "a value",
		"a ? b":                        `":"`,
		"#a":                           "a value",
		strings.Repeat("(", 100):       "nested",
		strings.Repeat("!", 100):       "nested",
		"a" + strings.Repeat(".b", 70): "nested",
		strings.Repeat(" ", 20000):     "maximum",
	} {
		_, err := parseRule(rule)
		message, from := syntaxOf(err)
		if !strings.Contains(message, want) || from < 0 || from > len(rule) {
			t.Errorf("%.40q: got %v at %d, want %q", rule, err, from, want)
		}
	}
}

// Long chains are no nesting.
func TestChainsMayBeLong(t *testing.T) {
	for _, sign := range []string{" && ", " || ", " ?? ", " + "} {
		rule := "name" + strings.Repeat(sign+"name", 1000)
		if _, err := parseRule(rule); err != nil {
			t.Errorf("1000 times%q: %v", sign, err)
		}
	}
}
