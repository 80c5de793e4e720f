package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConvertCommand(t *testing.T) {
	dir := t.TempDir()
	old, target := filepath.Join(dir, "config.yml"), filepath.Join(dir, "conf.toml")
	if err := os.WriteFile(old, []byte("logLevel: 2\ntelemetry: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (stdout, stderr string, err error) {
		var out, notes bytes.Buffer
		root := newRoot(&out, &notes)
		root.SetArgs(append([]string{"convert"}, args...))
		err = root.Execute()
		return out.String(), notes.String(), err
	}
	stdout, stderr, err := run(old)
	if err != nil || !strings.Contains(stdout, "\nlogLevel = 2\n") || !strings.Contains(stderr, "note: "+old+":2:1: telemetry is left out") {
		t.Errorf("to standard output: %q, %q, %v", stdout, stderr, err)
	}
	if _, _, err := run(old, "-o", target); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(target)
	if err != nil || string(text) != stdout {
		t.Errorf("to a file: %q, %v", text, err)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("readable for others: %v, %v", info.Mode(), err)
	}
	if _, _, err := run(old, "-o", target); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over a file: %v", err)
	}
	if _, _, err := run(old, "-o", target, "--force"); err != nil {
		t.Errorf("by force: %v", err)
	}
	if got := invoke(t, "start", "--check", "-c", target); !strings.Contains(got, "is valid") {
		t.Errorf("the result: %s", got)
	}
}
