package config

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// What the documents tell operators to write has to be accepted, as it stands.
func TestExamplesOfDocumentsAreValid(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"permissions.yml", "ssl/key.pem", "ssl/cert.pem"} {
		writeFile(t, filepath.Join(dir, name), "someone: {}\n")
	}
	writeFile(t, filepath.Join(dir, "users.yml"), "someone: { password: x }\n")
	environment := lookup(map[string]string{"MONITORING_SECRET": "x", "TOKEN_SECRET": "a secret of at least 32 bytes, as HS256 asks for"})
	block := regexp.MustCompile("(?ms)^```toml\n(.*?)^```")
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range block.FindAllSubmatch(text, -1) {
			found++
			file := filepath.Join(dir, "conf.toml")
			writeFile(t, file, string(example[1]))
			if _, err := Load(file, environment); err != nil {
				t.Errorf("%s: %v\n%s", page, err, example[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("found only %d examples: the documents are written in another way", found)
	}
}
