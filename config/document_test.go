package config

import (
	"os"
	"path/filepath"
	"testing"
)

// Whoever reads a document again, for its positions or after a change, has to know where it was.
func TestDocumentsKnowTheirFile(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "rules.yml"), "record: {}\n")
	file := filepath.Join(dir, "conf.yml")
	for text, want := range map[string]string{
		"permission: { options: { permissions: fileLoad(rules.yml) } }\n": filepath.Join(dir, "rules.yml"),
		"permission: { options: { permissions: { record: {} } } }\n":      "",
	} {
		writeFile(t, file, text)
		c, err := Load(file, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Permission.Options.Permissions.File; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
