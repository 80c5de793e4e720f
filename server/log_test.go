package server

import (
	"log/slog"
	"strings"
	"testing"

	"deepstream-fast/config"
)

func TestTextLines(t *testing.T) {
	var out, errOut strings.Builder
	cfg := config.Default()
	log := NewLogger(&cfg, &out, &errOut, false)
	log.Info("the message", "event", "SOME_EVENT", "namespace", "NAMESPACE", "key", "a value")
	log.With("namespace", "N").Warn("another", "event", "E")
	log.Info("nameless")
	log.Log(t.Context(), slog.LevelDebug, "below the level")
	if want := "NAMESPACE | SOME_EVENT | the message key=\"a value\"\nINFO | nameless\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if want := "N | E | another\n"; errOut.String() != want {
		t.Errorf("on stderr %q, want %q", errOut.String(), want)
	}
}
