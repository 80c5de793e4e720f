package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"deepstream-fast/internal/doctree"
)

const shipped = "../conf.toml"

func TestShippedFileShowsTheDefaults(t *testing.T) {
	c, err := Load(shipped, lookup(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Dir, want.File = filepath.Dir(shipped), shipped
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("conf.toml differs from Default:\n got %+v\nwant %+v", *c, want)
	}
	if err := c.Validate(); err != nil {
		t.Errorf("Validate after Load: %v", err)
	}
}

// A key without a line in conf.toml, live or as an example, is one operators do not learn about.
func TestShippedFileNamesEveryKey(t *testing.T) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	visit(reflect.TypeFor[Config](), "", "", func(path, _ string, f field) {
		if f.ignored() == "" && !regexp.MustCompile(`\b`+f.key+`\b`).Match(data) {
			t.Errorf("conf.toml does not mention %s", path)
		}
	})
}

// The examples must be right on the day the build brings what they show: all that may be wrong with
// them now is that.
func TestShippedExamplesAreOnlyUnavailable(t *testing.T) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"permissions.yml", "ssl/key.pem", "ssl/cert.pem", "ssl/ca.pem"} {
		writeFile(t, filepath.Join(dir, name), "someone: {}\n")
	}
	writeFile(t, filepath.Join(dir, "users.yml"), "someone: { password: x }\n")
	example := regexp.MustCompile(`(?m)^# (\[|[a-zA-Z]+ = )`)
	file := filepath.Join(dir, "conf.toml")
	writeFile(t, file, example.ReplaceAllString(string(data), "$1"))
	_, err = Load(file, lookup(map[string]string{"MONITORING_SECRET": "x"}))
	var problems Errors
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want problems", err)
	}
	if len(problems) < 4 {
		t.Errorf("only %d problems: are the examples still found?", len(problems))
	}
	for _, p := range problems {
		if !strings.Contains(p.Message, "not available in this build") {
			t.Errorf("an example is wrong: %v", p)
		}
	}
}

func TestFormatsAreEquivalent(t *testing.T) {
	texts := map[string]string{
		"c.toml": `logLevel = "debug"
connectionEndpoints = [{ type = "ws-binary", options = { maxMessageSize = "2MiB", unauthenticatedClientTimeout = false } }]
[rpc]
ackTimeout = "2s"
[httpServer.options]
port = 0x1770
origins = ["https://a.example", "https://ü.example"]
[permission.options]
permissions = { record = { "*" = { write = "user.id === 'a'" } }, n = 1.5, l = [1, true] }
`,
		"c.yml": `logLevel: 0
connectionEndpoints:
  - type: ws-binary
    options: &o { maxMessageSize: 2097152, unauthenticatedClientTimeout: ~ }
rpc: { ackTimeout: 2000 }
httpServer:
  options:
    port: 6000
    origins: ["https://a.example", "https://ü.example"]
permission:
  type: none
  options:
    permissions:
      record: { "*": { write: "user.id === 'a'" } }
      n: 1.5
      l: [1, true]
cache:
`,
		"c.json": `{"logLevel": "DEBUG",
"connectionEndpoints": [{"type": "ws-binary", "options": {"maxMessageSize": "2048 KiB", "unauthenticatedClientTimeout": null}}],
"rpc": {"ackTimeout": 2000}, "httpServer": {"options": {"port": 6000, "origins": ["https://a.example", "https:\/\/\u00fc.example"]}},
"permission": {"options": {"permissions": {"record": {"*": {"write": "user.id === 'a'"}}, "n": 1.5, "l": [1, true]}}}}`,
	}
	var want *Config
	for name, text := range texts {
		got, err := load(name, text, lookup(nil))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got.Warnings) != 1 { // permissions without type config; its position differs
			t.Errorf("%s: warnings %v", name, got.Warnings)
		}
		got.Warnings, got.File = nil, ""
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s differs:\n got %+v\nwant %+v", name, got, want)
		}
	}
	if want.HTTPServer.Options.Port != 6000 || want.EffectiveLogLevel() != LevelDebug {
		t.Errorf("values are lost: %+v", want)
	}
}

func TestFileIsFoundInOrder(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	stems := []string{filepath.Join(dir, "etc/conf"), "conf/config"}
	check := func(what, explicit, named, want string) {
		t.Helper()
		got, err := find(explicit, lookup(map[string]string{FileVariable: named}), stems)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrNoFile) {
			t.Errorf("%s: got %q, %v, want %q", what, got, err, want)
		}
	}
	check("nothing there", "", "", "")
	writeFile(t, "conf.toml", "")
	check("last resort", "", "", "conf.toml")
	writeFile(t, "conf/config.yml", "")
	check("conf folder first", "", "", "conf/config.yml")
	writeFile(t, "conf/config.toml", "")
	check("TOML before YAML", "", "", "conf/config.toml")
	writeFile(t, "etc/conf.json", "")
	check("etc first", "", "", filepath.Join(dir, "etc/conf.json"))
	check("variable names a file", "", "else/where.toml", "else/where.toml")
	check("variable names a folder", "", "etc", "etc/conf.json")
	writeFile(t, "empty/other.toml", "")
	check("variable names a folder without one", "", "empty", "")
	check("explicit wins", "x.toml", "etc", "x.toml")
}

func TestLoadReportsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.toml"), lookup(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	big := filepath.Join(dir, "big.toml")
	writeFile(t, big, strings.Repeat("#\n", configBytesMax/2+1))
	if _, err := Load(big, lookup(nil)); err == nil || !strings.Contains(err.Error(), "maximum of 1MiB") {
		t.Errorf("large file: %v", err)
	}
	if _, err := load("a.toml", "x = \"${BIG}${BIG}\"", lookup(map[string]string{"BIG": strings.Repeat("x", loadedBytesMax)})); err == nil {
		t.Error("a substitution without bounds was accepted")
	}
}

func TestReportsAreBounded(t *testing.T) {
	for name, line := range map[string]string{"unknown": "k# = 1\n", "unset": "k# = \"${X}${Y}\"\n"} {
		var text strings.Builder
		for i := range 2 * collectMax {
			text.WriteString(strings.ReplaceAll(line, "#", strings.Repeat("a", i%7)+string(rune('a'+i%26))+itoa(i)))
		}
		_, err := load("a.toml", text.String(), lookup(nil))
		var problems Errors
		if !errors.As(err, &problems) || len(problems) != problemsMax+1 {
			t.Errorf("%s: %d problems, want %d", name, len(problems), problemsMax+1)
		}
	}
}

func TestErrorsUnwrap(t *testing.T) {
	_, err := load("a.toml", "\n\n  port = 1\n", lookup(nil))
	var p Problem
	if !errors.As(err, &p) || p.File != "a.toml" || p.Line != 3 || p.Column != 3 || p.Key != "port" || p.Source != "  port = 1" {
		t.Errorf("got %+v", p)
	}
}

func TestValidateOfChangedConfig(t *testing.T) {
	c := Default()
	c.HTTPServer.Options.Port = 70000
	c.Auth = append(c.Auth, Auth{Type: "file"}, Auth{Type: "none"})
	c.Plugins = Plugins{"b": {}, "a": {}}
	c.Listen.RematchInterval = 0
	c.Logger.Options.LogLevel = LevelWarn
	c.ConnectionEndpoints[0].WebSocket.UnauthenticatedClientTimeout = Off
	err := c.Validate()
	want := `httpServer.options.port = 70000: expected an integer from 0 to 65535
plugins.a is not available in this build
plugins.b is not available in this build
auth[1].options.users is missing: expected a section, normally from "fileLoad(users.yml)"`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	c = Default()
	c.Listen.RematchInterval = 0
	if err := c.Validate(); err != nil || len(c.Warnings) != 1 || c.Warnings[0].Key != "listen.rematchInterval" {
		t.Errorf("got %v, warnings %v", err, c.Warnings)
	}
}

func FuzzLoad(f *testing.F) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("a.toml", string(data))
	f.Add("a.yml", "a: &a [*a]\nrpc: { ackTimeout: ${A} }\n<<: *a")
	f.Add("a.json", `{"auth": [{"type": "file", "options": {"users": "file(x)"}}], "plugins": {"a": {"name": "b"}}}`)
	f.Add("a.toml", "a.b = 1\n[[a.c]]\nd = [[1], {e = \"\"\"x\n\"\"\"}]\n$${ ${A:-\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		if !doctree.Known(filepath.Ext(name)) || strings.Contains(text, "fileLoad") {
			return
		}
		c, err := load(name, text, lookup(map[string]string{"A": "1"}))
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		if c == nil {
			var problems Errors
			if !errors.As(err, &problems) || len(problems) > problemsMax+1 || len(problems.Error()) == 0 {
				t.Fatalf("problems %d: %v", len(problems), err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("Validate after Load: %v", err)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(shipped, lookup(nil)); err != nil {
			b.Fatal(err)
		}
	}
}
