// A service of somebody else's module.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	simdetr "github.com/libsimdetr/libsimdetr/bindings/go"
)

func main() {
	clusterer, err := simdetr.NewClusterer(simdetr.ClustererOptions{Classes: 3})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer clusterer.Close()
	err = clusterer.Fit(context.Background(), []float32{1, 0}, 2)
	if !errors.Is(err, simdetr.ErrTooFewPoints) {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(simdetr.Version())
}
