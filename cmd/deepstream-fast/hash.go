package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"deepstream-fast/auth"
	"deepstream-fast/auth/password"
	"deepstream-fast/config"
)

// hashFlags are the options of the command hash.
type hashFlags struct {
	config string
	scheme password.Scheme
}

func newHash(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	f := &hashFlags{}
	cmd := &cobra.Command{
		Use: "hash [password]", Short: "Print what to write into a users table for a password",
		Long: "Print what to write into a users table for a password, which is asked for or read from stdin. The hash is\n" +
			"argon2id, which every configuration understands. With --hash, or with a configuration that has a hash, it\n" +
			"is of the official server's form.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			scheme, err := f.chosen()
			if err != nil {
				return err
			}
			given, err := givenPassword(args, stdin, stderr)
			if err != nil {
				return err
			}
			stored, err := scheme.New(given)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "Password hash: %s\n", stored)
			return err
		},
	}
	s := cmd.Flags()
	s.StringVarP(&f.config, "config", "c", "", "configuration whose handler of type file or storage has the hash")
	s.StringVar(&f.scheme.Digest, "hash", "", "digest of the official form, such as sha512")
	s.IntVar(&f.scheme.Iterations, "iterations", password.IterationsAdvised, "iterations of the official form")
	s.IntVar(&f.scheme.KeyLength, "key-length", 32, "bytes of the official form's key")
	return cmd
}

// chosen returns how to hash.
func (f *hashFlags) chosen() (password.Scheme, error) {
	switch {
	case f.config != "" && f.scheme.Digest != "":
		return password.Scheme{}, errors.New("hash: give either --config or --hash")
	case f.config == "" && f.scheme.Digest == "":
		return password.Scheme{}, nil
	case f.config == "":
		return f.scheme, f.scheme.Validate()
	}
	cfg, err := loadFor(f.config)
	if err != nil {
		return password.Scheme{}, err
	}
	return schemeOf(cfg)
}

// schemeOf returns how the first handler that checks passwords wants them.
func schemeOf(cfg *config.Config) (password.Scheme, error) {
	for i := range cfg.Auth {
		switch a := &cfg.Auth[i]; a.Type {
		case "file":
			return a.File.Scheme(), nil
		case "storage":
			return a.Storage.Scheme(), nil
		}
	}
	return password.Scheme{}, errors.New("hash: the configuration has no auth handler of type file or storage")
}

// givenPassword returns the password: of the command line, of a prompt that shows nothing, or of stdin.
func givenPassword(args []string, stdin io.Reader, stderr io.Writer) (string, error) {
	if len(args) > 0 {
		fmt.Fprintln(stderr, "warning: other users of this machine can see a password on the command line, and the shell keeps it; leave it out to be asked for it")
		return args[0], nil
	}
	if f, ok := stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return prompt(f, stderr)
	}
	text, err := io.ReadAll(io.LimitReader(stdin, auth.DataBytesMax+1))
	if err != nil {
		return "", fmt.Errorf("hash: read the password: %w", err)
	}
	if len(text) > auth.DataBytesMax {
		return "", fmt.Errorf("hash: the password is longer than %d bytes", auth.DataBytesMax)
	}
	given := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if given == "" {
		return "", errors.New("hash: the password is empty")
	}
	return given, nil
}

// prompt asks twice, because nobody sees what they type.
func prompt(terminal *os.File, stderr io.Writer) (string, error) {
	var given [2]string
	for i, question := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(stderr, question)
		text, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(stderr)
		if err != nil {
			return "", fmt.Errorf("hash: read the password: %w", err)
		}
		given[i] = string(text)
	}
	switch {
	case given[0] != given[1]:
		return "", errors.New("hash: these were two different passwords")
	case given[0] == "":
		return "", errors.New("hash: the password is empty")
	}
	return given[0], nil
}
