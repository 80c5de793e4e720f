package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/internal/doctree"
)

const officialFiles = "testdata/convert"

// inputs returns the official configurations, which stand beside files that they refer to.
func inputs(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, name := range []string{"empty.yml", "chat.yml", "sensors.json", "shop.yml", "legacy.yml"} {
		paths = append(paths, filepath.Join(officialFiles, name))
	}
	return paths
}

// compare compares got with a golden file, or rewrites it.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs, got\n%s", path, got)
	}
}

// TestConvertGolden writes every configuration in our format (.toml) and what is said about it (.notes):
// the notes, or the reasons why it cannot be had. That the build does not bring something is not part of
// the golden file, since it will one day.
func TestConvertGolden(t *testing.T) {
	for _, path := range inputs(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := read(path, configBytesMax)
			if err != nil {
				t.Fatal(err)
			}
			c := newConverter(path, raw, filepath.Join(officialFiles, "conf.toml"))
			text, err := c.convert(raw)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, path+".toml", text)
			said := []Problem(nil)
			made, err := Convert(path, "", lookup(nil))
			var problems Errors
			switch {
			case err == nil && made.Text != text:
				t.Errorf("Convert returns\n%s", made.Text)
			case err == nil:
				said = made.Notes
			case !errors.As(err, &problems):
				t.Fatal(err)
			case filepath.Base(path) != "shop.yml":
				said = problems
			}
			for _, p := range problems {
				if filepath.Base(path) == "shop.yml" && !strings.Contains(p.Message, "not available in this build") {
					t.Errorf("lost on the way: %v", p)
				}
			}
			compare(t, path+".notes", strings.ReplaceAll(Errors(said).Error(), officialFiles+"/", "")+"\n")
		})
	}
}

// What keeps strangers out stays, whatever this build makes of it.
func TestConvertKeepsTheDoorShut(t *testing.T) {
	raw, err := read(filepath.Join(officialFiles, "shop.yml"), configBytesMax)
	if err != nil {
		t.Fatal(err)
	}
	text, err := newConverter("shop.yml", raw, "conf.toml").convert(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"type = \"file\"\n", "users = \"fileLoad(users.yml)\"", "type = \"http\"\n", "type = \"config\"\n",
		"permissions = \"fileLoad(./permissions.yml)\"", "key = \"fileLoad(tls/key.pem)\"", "cert = \"fileLoad(tls/cert.pem)\"",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestConvertAdaptsPaths(t *testing.T) {
	c := newConverter("/etc/old/conf/config.yml", "", "/etc/new/conf.toml")
	for text, want := range map[string]string{
		"fileLoad(users.yml)": "fileLoad(../old/conf/users.yml)", "file(/abs/x)": "file(/abs/x)", "path( ../lib )": "file(../old/lib)",
		"fileLoad(users.yml) and more": "fileLoad(users.yml) and more",
	} {
		n := &node{kind: kindString, src: &source{name: c.path}, text: text}
		if c.macros(n); n.text != want {
			t.Errorf("%s: got %s, want %s", text, n.text, want)
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.js": "module.exports = {}", "a.toml": "", "a.txt": "", "list.yml": "- a\n", "broken.yml": "a: [\n", "text.json": `"x"`,
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		if made, err := Convert(path, "", lookup(nil)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, made, err)
		}
	}
	writeFile(t, filepath.Join(dir, "good.yml"), "logLevel: 1\n")
	if _, err := Convert(filepath.Join(dir, "good.yml"), "out.yml", lookup(nil)); err == nil || !strings.Contains(err.Error(), ".toml") {
		t.Errorf("a target that is no TOML: %v", err)
	}
	if _, err := Convert(filepath.Join(dir, "none.yml"), "", lookup(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Values survive: what the old file says is what the new one means.
func TestConvertKeepsValues(t *testing.T) {
	env := map[string]string{"PORT": "7000", "HOST": "h", "WHAT": "a\"b"}
	made, err := convert("a.yml", `
serverName: "${HOST}-\"x\"-ü-\t$"
httpServer: { options: { port: "${PORT}", host: "${HOST}", hostUrl: 'C:\dir', origins: ["https://a.example"] } }
record: { storageExclusionPrefixes: ["${HOST}/", 'b\'] }
permission:
  options:
    permissions: { "a b": { "*": { write: "user.id === 'x' && data.n > 1.5" } }, list: [1, [true], { k: v }], n: 90210077 }
`, "a.toml", lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	got, err := load("a.toml", made.Text, lookup(env))
	if err != nil {
		t.Fatal(err)
	}
	o := got.HTTPServer.Options
	rules, _ := got.Permission.Options.Permissions.Value.(map[string]any)
	if got.ServerName != "h-\"x\"-ü-\t$" || o.Port != 7000 || o.Host != "h" || o.HostURL != `C:\dir` || o.Origins[0] != "https://a.example" ||
		got.Record.StorageExclusionPrefixes[0] != "h/" || got.Record.StorageExclusionPrefixes[1] != `b\` ||
		rules["n"] != int64(90210077) || rules["list"].([]any)[2].(map[string]any)["k"] != "v" ||
		rules["a b"].(map[string]any)["*"].(map[string]any)["write"] != "user.id === 'x' && data.n > 1.5" {
		t.Errorf("values are lost: %+v\n%s", got, made.Text)
	}
}

func FuzzConvert(f *testing.F) {
	for _, name := range []string{"chat.yml", "sensors.json", "shop.yml", "legacy.yml"} {
		data, err := os.ReadFile(filepath.Join(officialFiles, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, string(data))
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if ext := filepath.Ext(name); ext == ".toml" || !doctree.Known(ext) || strings.Contains(text, "fileLoad") {
			return
		}
		made, err := convert(name, text, "conf.toml", lookup(nil))
		if (made == nil) == (err == nil) {
			t.Fatalf("%v and error %v", made, err)
		}
		if made == nil {
			return
		}
		if _, err := load("conf.toml", made.Text, func(string) (string, bool) { return "1", true }); err != nil && !strings.Contains(made.Text, "${") {
			t.Fatalf("the result does not load: %v\n%s", err, made.Text)
		}
	})
}
