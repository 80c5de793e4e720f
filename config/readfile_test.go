package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is no regular file is refused at once: opening a pipe waits for who may never come.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	pipe, folder, link := filepath.Join(dir, "pipe.yml"), filepath.Join(dir, "folder.yml"), filepath.Join(dir, "link.yml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "is not a regular file", folder: "is a directory", link: "is not a regular file"} {
		if _, err := ReadFile(path, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
		file := filepath.Join(dir, "conf.yml")
		writeFile(t, file, "permission: { type: config, options: { permissions: fileLoad("+path+") } }\n")
		if _, err := Load(file, lookup(nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fileLoad(%s): got %v, want %q", path, err, want)
		}
	}
	file := filepath.Join(dir, "file")
	writeFile(t, file, "0123456789")
	if text, err := ReadFile(file, 10); err != nil || string(text) != "0123456789" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := ReadFile(file, 9); err == nil {
		t.Error("read more than it may")
	}
}
