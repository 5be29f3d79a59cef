// A folder of photographs in; a COCO data set without labels and one picture to look at out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	simdetr "github.com/libsimdetr/libsimdetr/bindings/go"
)

func run(ctx context.Context, photos, out string) error {
	encoder, err := simdetr.NewEncoder("")
	if err != nil {
		return err
	}
	defer encoder.Close()
	extractor, err := simdetr.NewExtractor(encoder, simdetr.ExtractorOptions{})
	if err != nil {
		return err
	}
	defer extractor.Close()
	proposals := filepath.Join(out, "proposals")
	report, err := extractor.ExtractFolder(ctx, photos, proposals, false, nil)
	if err != nil {
		return err
	}
	store, err := simdetr.OpenStore(proposals)
	if err != nil {
		return err
	}
	defer store.Close()
	clusterer, err := simdetr.NewClusterer(simdetr.ClustererOptions{Classes: 4})
	if err != nil {
		return err
	}
	defer clusterer.Close()
	if err := clusterer.FitStore(ctx, store, nil); err != nil {
		return err
	}
	if err := store.ExportCOCO(ctx, clusterer, filepath.Join(out, "T0.json")); err != nil {
		return err
	}
	if err := store.Overlay(0, photos, clusterer, filepath.Join(out, "overlay.png")); err != nil {
		return err
	}
	fmt.Printf("%d images, %d boxes\n", report.Images, report.Proposals)
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: dataset PHOTOS OUT")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
