package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestMessagesToOperators runs testdata/*.txt: "file name=x" writes a file, "load [name=conf.toml] [NAME=value]..."
// loads its input as that file with these variables, and prints problems, warnings or "ok".
func TestMessagesToOperators(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) { runGolden(t, path) })
	}
}

func runGolden(t *testing.T, path string) {
	dir := t.TempDir()
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		name, env := "conf.toml", map[string]string{}
		for _, arg := range d.CmdArgs {
			if arg.Key == "name" {
				name = arg.Vals[0]
			} else {
				env[arg.Key] = strings.Join(arg.Vals, "")
			}
		}
		file := filepath.Join(dir, name)
		writeFile(t, file, strings.ReplaceAll(d.Input, "<tab>", "\t")+"\n")
		switch d.Cmd {
		case "file":
			return ""
		case "load":
			return strings.ReplaceAll(outcome(Load(file, lookup(env))), dir+string(filepath.Separator), "")
		}
		d.Fatalf(t, "unknown command %q", d.Cmd)
		return ""
	})
}

// outcome shows what an operator would see.
func outcome(c *Config, err error) string {
	var problems Errors
	switch {
	case errors.As(err, &problems):
		return problems.Error() + "\n"
	case err != nil:
		return err.Error() + "\n"
	case len(c.Warnings) > 0:
		return "warnings:\n" + Errors(c.Warnings).Error() + "\n"
	}
	return "ok\n"
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
