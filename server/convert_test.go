package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"deepstream-fast/config"
)

// Whatever convert returns is a configuration that a server runs with.
func TestConvertedConfigurationsRun(t *testing.T) {
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"CHAT_HOST": "127.0.0.1", "CHAT_PORT": "0", "NODE": "1", "LEVEL": "2", "TLS_PASSPHRASE": ""}[name]
		return value, ok
	}
	ran := 0
	for _, name := range []string{"empty.yml", "chat.yml", "sensors.json", "shop.yml", "legacy.yml"} {
		target := filepath.Join(t.TempDir(), "conf.toml")
		made, err := config.Convert(filepath.Join("..", "config", "testdata", "convert", name), target, env)
		var problems config.Errors
		if errors.As(err, &problems) {
			continue // config's tests say what about
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, []byte(made.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Load(target, env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(made.Text, "ssl") {
			continue // the certificates are only texts
		}
		cfg.HTTPServer.Options.Host, cfg.HTTPServer.Options.Port = "127.0.0.1", 0
		s, err := Start(cfg, silent)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := askOn(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := s.Stop(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		ran++
	}
	if ran < 3 {
		t.Errorf("only %d of them ran", ran)
	}
}
