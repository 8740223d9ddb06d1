internal import ServiceKit

/// EdgeProxy: the public API in front of the services.
@main
enum EdgeMain {
  static func main() async {
    await Service.run(EdgeConfiguration.self, name: .edge) { app, config in
      try EdgeAssembly.parts(app, config)
    }
  }
}
