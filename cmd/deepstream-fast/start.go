package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"deepstream-fast/config"
	"deepstream-fast/server"
)

// errReported is returned by a command that has already said what is wrong.
var errReported = errors.New("reported")

// flags are the options of the command line that override the file.
type flags struct {
	config             string
	host               string
	port               int
	serverName         string
	logLevel           string
	logFormat          string
	colors             bool
	check              bool
	disableAuth        bool
	disablePermissions bool
	libDir             string
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	f := &flags{}
	run := func(cmd *cobra.Command, _ []string) error { return start(cmd, f, stdout, stderr) }
	root := &cobra.Command{
		Use:           "deepstream-fast",
		Short:         "A realtime server for the deepstream V4 protocol",
		Args:          cobra.NoArgs,
		RunE:          run,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	startCmd := &cobra.Command{Use: "start", Short: "Start the server (the default)", Args: cobra.NoArgs, RunE: run}
	f.register(root)
	f.register(startCmd)
	root.AddCommand(startCmd, newBackup(stdout), newCheck(stdout), newHash(os.Stdin, stdout, stderr), newInfo(stdout), newPermission(stdout), newVersion(stdout))
	return root
}

func (f *flags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVarP(&f.config, "config", "c", "", "configuration file (.toml, .yml, .yaml or .json)")
	s.StringVar(&f.host, "host", "", "address to listen on")
	s.IntVar(&f.port, "port", 0, "port to listen on")
	s.StringVar(&f.serverName, "server-name", "", "name of this node")
	s.StringVar(&f.logLevel, "log-level", "", "debug, info, warn, error or off")
	s.StringVar(&f.logFormat, "log-format", "", "text or json")
	s.BoolVar(&f.colors, "colors", true, "colour the log on a terminal")
	s.BoolVar(&f.check, "check", false, "check the configuration and exit")
	s.BoolVar(&f.disableAuth, "disable-auth", false, "let everybody log in")
	s.BoolVar(&f.disablePermissions, "disable-permissions", false, "let everybody do everything")
	s.StringVarP(&f.libDir, "lib-dir", "l", "", "ignored: plugins are compiled in")
}

// start loads the configuration, runs the server until a signal and stops it.
func start(cmd *cobra.Command, f *flags, stdout, stderr io.Writer) error {
	cfg, path, err := f.load(cmd)
	if err != nil {
		return err
	}
	if f.check {
		for _, w := range cfg.Warnings {
			fmt.Fprintln(stderr, "warning: "+w.Error())
		}
		fmt.Fprintf(stdout, "%s: the configuration is valid\n", path)
		return nil
	}
	log := server.NewLogger(cfg, stdout, stderr, isTerminal(stdout))
	slog.SetDefault(log)
	for _, w := range cfg.Warnings {
		log.Warn(w.Error(), "event", "INVALID_CONFIG_DATA")
	}
	log.Info("configuration file: "+path, "event", "INFO")
	if f.libDir != "" {
		log.Warn("--lib-dir is ignored: plugins are compiled in", "event", "INVALID_CONFIG_DATA")
	}
	if cfg.ShowLogo {
		fmt.Fprintln(stdout, logo)
	}
	// Signals are caught before the server starts, when one must not be lost, and until the process has
	// ended: a late one must not turn its exit code into a failure.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	s, err := server.Start(cfg, log)
	if err != nil {
		log.Error(err.Error(), "event", "FATAL_EXCEPTION")
		return errReported
	}
	select {
	case sig := <-signals:
		return stop(s, sig, signals, cfg, log)
	case <-s.Done():
		log.Error("the server has ended by itself", "event", "FATAL_EXCEPTION", "error", fmt.Sprint(s.Err()))
		return errReported
	}
}

// stop ends the server gracefully; a second signal, or shutdownTimeout, ends it at once.
func stop(s *server.Server, sig os.Signal, signals <-chan os.Signal, cfg *config.Config, log *slog.Logger) error {
	log.Info("shutting down: "+sig.String(), "event", "INFO")
	ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownTimeout.Std())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }() // ends with ctx at the latest, or with the process
	select {
	case err := <-stopped:
		if err != nil {
			log.Error(err.Error(), "event", "FATAL_EXCEPTION")
			return errReported
		}
		log.Info("stopped", "event", "INFO")
		return nil
	case <-signals:
		log.Warn("second signal: leaving at once", "event", "INFO")
		return errReported
	}
}

// load reads the configuration file and puts the command line over it.
func (f *flags) load(cmd *cobra.Command) (*config.Config, string, error) {
	path, err := config.Find(f.config, os.LookupEnv)
	if err != nil {
		return nil, "", err
	}
	cfg, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, "", err
	}
	set := cmd.Flags().Changed
	if set("host") {
		cfg.HTTPServer.Options.Host = f.host
	}
	if set("port") {
		cfg.HTTPServer.Options.Port = f.port
	}
	if set("server-name") {
		cfg.ServerName = f.serverName
	}
	if set("log-level") {
		level, ok := config.ParseLogLevel(f.logLevel)
		if !ok {
			return nil, "", fmt.Errorf("--log-level %q: expected debug, info, warn, error or off", f.logLevel)
		}
		cfg.Logger.Options.LogLevel = level
	}
	if set("log-format") {
		switch strings.ToLower(f.logFormat) {
		case "text":
			cfg.Logger.Type = "default"
		case "json":
			cfg.Logger.Type = "json"
		default:
			return nil, "", fmt.Errorf("--log-format %q: expected text or json", f.logFormat)
		}
	}
	if set("colors") {
		cfg.Logger.Options.Colors = f.colors
	}
	if f.disableAuth {
		cfg.Auth = []config.Auth{{Type: "none"}}
	}
	if f.disablePermissions {
		cfg.Permission.Type = "none"
	}
	if err := cfg.Validate(); err != nil {
		return nil, "", err
	}
	return cfg, path, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

const logo = "\n  deepstream-fast: the deepstream V4 protocol, on one box, fast"
