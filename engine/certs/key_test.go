package certs

import (
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
)

// The files in testdata are one key, encrypted by openssl in several ways with the passphrase "secret".
func keyFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncryptedKeys(t *testing.T) {
	plain, _ := pem.Decode(keyFile(t, "plain"))
	for name, want := range map[string]string{
		"plain": "", "aes256-sha256": "", "aes128-sha1": "", "aes192-sha512": "", "legacy": "",
		"des3": "only PBKDF2 with AES-CBC", "scrypt": "only PBKDF2 with AES-CBC",
	} {
		got, err := decrypted(keyFile(t, name), "secret")
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		block, _ := pem.Decode(got)
		if block == nil || name != "legacy" && string(block.Bytes) != string(plain.Bytes) {
			t.Errorf("%s: another key came out", name)
		}
		if strings.Contains(name, "plain") {
			continue
		}
		if _, err := decrypted(keyFile(t, name), ""); !errors.Is(err, errNoPhrase) {
			t.Errorf("%s without passphrase: %v", name, err)
		}
		wrong, err := decrypted(keyFile(t, name), "Secret")
		if err == nil && string(wrong) == string(got) { // one time in 256 the padding alone is right by chance
			t.Errorf("%s: a wrong passphrase was good", name)
		}
		if err != nil && strings.Contains(err.Error(), "ecret") {
			t.Errorf("%s: the message tells the passphrase: %v", name, err)
		}
	}
}

// FuzzKey looks for panics in the parser of encrypted keys.
func FuzzKey(f *testing.F) {
	for _, name := range []string{"plain", "aes256-sha256", "aes128-sha1", "des3", "scrypt", "legacy"} {
		block, _ := pem.Decode(keyFile(f, name))
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 1<<10 {
			return // derivation takes as long as the file says; this keeps what is asked for apart
		}
		if out, err := decryptPKCS8(der, "secret"); err == nil && len(out) >= len(der) {
			t.Errorf("%d bytes became %d", len(der), len(out))
		}
	})
}
