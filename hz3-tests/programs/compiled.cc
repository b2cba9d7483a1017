// A program that keeps a C++ compiler busy: many instantiations of the standard library's templates.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Matrix {
    std::vector<std::vector<double>> cells{N, std::vector<double>(N, N)};

    Matrix operator*(const Matrix &other) const
    {
        Matrix result;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                result.cells[i][j] = std::inner_product(cells[i].begin(), cells[i].end(), other.cells[j].begin(), 0.0);
        return result;
    }
};

template <int N> double powers()
{
    Matrix<N> matrix;
    auto square = matrix * matrix;
    std::map<int, std::unique_ptr<Matrix<N>>> held;
    held[N] = std::make_unique<Matrix<N>>(square);
    std::unordered_map<std::string, std::tuple<int, double, std::variant<int, std::string>>> table;
    table[std::to_string(N)] = {N, held[N]->cells[0][0], std::string(N, 'x')};
    return std::get<1>(table.begin()->second) + powers<N - 1>();
}

template <> double powers<0>()
{
    return 0;
}

int main()
{
    std::set<std::string, std::greater<>> words;
    std::regex pattern("([a-z]+)-([0-9]+)");
    std::istringstream stream("one-1 two-22 three-333 four four-4444");
    for (std::string word; stream >> word;) {
        std::smatch match;
        if (std::regex_match(word, match, pattern))
            words.insert(match[2].str() + match[1].str());
    }
    for (const auto &word : words)
        std::cout << word << ' ';
    std::cout << powers<24>() << '\n';
}
